//! Maps as they are written, and as they are read again.

use crate::document::map::entry::{Located, Place};
use crate::document::map::located::LocatedMap;
use crate::document::map::writer::*;
use crate::extent::stored::Compression;

fn file(name: &str, size: u64) -> MapFile {
    MapFile { name: name.into(), state: FileState::Device { size } }
}

fn map(files: &[MapFile], extents: &[Extent]) -> Vec<serde_json::Value> {
    let mut out = Vec::new();
    let mut writer = MapWriter::new(&mut out, files).unwrap();
    for &extent in extents {
        writer.push(extent).unwrap();
    }
    writer.finish().unwrap();
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn only_what_goes_on_in_the_same_file_and_at_its_next_byte_becomes_one_entry() {
    let data = Content::at;
    let compressed = Content::Data(Stored::Compressed(CompressedCluster {
        offset: 70,
        host_length: 8,
        cluster_size: 10,
        skip: 0,
        compression: Compression::Zstd,
    }));
    // Every extent has 10 bytes. The third element is the length of the entry that begins there, if one does.
    let extents = [
        (0, data(100), 20),
        (0, data(110), 0),
        (0, data(121), 10),
        (1, data(131), 10),
        (0, data(100), 10),
        (0, Content::Zero, 20),
        (0, Content::Zero, 0),
        (0, Content::Absent, 20),
        (0, Content::Absent, 0),
        (1, Content::Absent, 10),
        (1, compressed, 10),
        (1, compressed, 10),
        (1, data(0), 10),
    ];
    let expected: Vec<(u64, u64)> = (0..)
        .zip(&extents)
        .map(|(at, &(.., length))| (at * 10, length))
        .filter(|entry| entry.1 > 0)
        .collect();
    let extents: Vec<Extent> = (0..)
        .zip(extents)
        .map(|(at, (layer, content, _))| Extent { start: at * 10, length: 10, layer, content })
        .collect();
    let entries = map(&[file("a", 1), file("b", 2)], &extents);
    let found: Vec<(u64, u64)> = entries
        .iter()
        .map(|entry| (entry["start"].as_u64().unwrap(), entry["length"].as_u64().unwrap()))
        .collect();
    assert_eq!(found, expected);
    let present: Vec<bool> = entries.iter().map(|entry| entry["present"].as_bool().unwrap()).collect();
    assert_eq!(present, [true, true, true, true, true, false, false, true, true, true]);
    assert_eq!((&entries[0]["filename"], &entries[0]["offset"]), (&"a".into(), &100.into()));
    assert_eq!((&entries[2]["filename"], &entries[2]["offset"]), (&"b".into(), &131.into()));
    // Said once of each file.
    let said: Vec<(usize, &str)> = (0..)
        .zip(&entries)
        .filter_map(|(at, entry)| Some((at, entry.get("state")?["device_size"].as_str()?)))
        .collect();
    assert_eq!(said, [(0, "1"), (2, "2")]);
}

#[test]
fn what_is_written_is_read_back() {
    let cluster = |compression| CompressedCluster {
        offset: 70,
        host_length: 8,
        cluster_size: 65536,
        skip: 1024,
        compression,
    };
    let stored = [
        None,
        Some(Stored::Plain { offset: 512 }),
        Some(Stored::Compressed(cluster(Compression::Zlib))),
        Some(Stored::Compressed(cluster(Compression::Zstd))),
    ];
    let name = "a \"b\" \\ \u{1}ü.qcow2";
    let mut out = Vec::new();
    let mut writer = MapWriter::new(&mut out, &[file(name, 7)]).unwrap().with_virtual_size(4 * 512);
    let mut state = Some(Box::new(FileState::Device { size: 7 }));
    let expected: Vec<Located> = (0..)
        .zip(stored)
        .map(|(at, stored)| {
            let content = stored.map_or(Content::Zero, Content::Data);
            writer.push(Extent { start: at * 512, length: 512, layer: 0, content }).unwrap();
            let place = |stored| Place { filename: name.to_owned(), state: state.take(), stored };
            let data = stored.map(place);
            Located { start: at * 512, end: (at + 1) * 512, data }
        })
        .collect();
    writer.finish().unwrap();
    let mut map = LocatedMap::new(out.as_slice());
    let read: Vec<Located> = std::iter::from_fn(|| map.next_range().unwrap()).collect();
    assert_eq!(read, expected);
    assert_eq!(map.virtual_size(), Some(4 * 512));
    assert_eq!(String::from_utf8(out).unwrap().matches("virtual_size").count(), 1);
}
