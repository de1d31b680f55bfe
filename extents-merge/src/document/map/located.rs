//! A map, followed to where the bytes are: every entry that holds data must say in which file, and how.

use std::io::{BufReader, Read};

use crate::document::failed_stage::Upstream;
use crate::document::map::entry::{Entry, Located, check};
use crate::document::map::reader::MapReader;
use crate::failure::Failure;

/// A pipe holds as much.
const BUFFER: usize = 64 << 10;

/// The entries of a map, from the first on without gap or overlap.
#[derive(Debug)]
pub struct LocatedMap<R> {
    map: MapReader<BufReader<Upstream<R>>>,
    /// Guest offset after the last entry.
    position: u64,
    /// What the map says of the disk.
    virtual_size: Option<u64>,
}

impl<R: Read> LocatedMap<R> {
    /// Follows the map in `input`, which need not be buffered.
    pub fn new(input: R) -> Self {
        let map = MapReader::new(BufReader::with_capacity(BUFFER, Upstream::new(input)));
        LocatedMap { map, position: 0, virtual_size: None }
    }

    /// Bytes of the disk, once the map has ended.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes that the disk will have when the map has ended, if an entry that was read says so.
    pub fn virtual_size(&self) -> Option<u64> {
        self.virtual_size
    }

    /// The next range; none when the map is closed and nothing follows.
    ///
    /// Status 3 for what is no map, a gap or an overlap, and for numbers that cannot be; status 4 if the map does not say
    /// where the data is. A map that breaks off because the filter before failed ends with the status of that one.
    pub fn next_range(&mut self) -> Result<Option<Located>, Failure> {
        self.follow().map_err(|failure| self.map.get_mut().get_mut().failure().unwrap_or(failure))
    }

    fn follow(&mut self) -> Result<Option<Located>, Failure> {
        let Some(entry) = self.map.next_entry::<Entry>()? else {
            return self.check_size(|end, size| end == size).map(|()| None);
        };
        self.virtual_size = self.virtual_size.or(entry.virtual_size);
        let located = check(entry, self.position, |what| self.map.damaged(what))?;
        self.position = located.end;
        self.check_size(|end, size| end <= size)?;
        Ok(Some(located))
    }

    /// Status 3 where the map does not end where it says that the disk does.
    fn check_size(&self, fits: impl Fn(u64, u64) -> bool) -> Result<(), Failure> {
        match self.virtual_size {
            Some(size) if !fits(self.position, size) => Err(Failure::damaged(format!(
                "the map is not that of its disk: found entries up to {}, expected virtual_size {size}",
                self.position
            ))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<u64, Failure> {
        let mut map = LocatedMap::new(json.as_bytes());
        while map.next_range()?.is_some() {}
        assert!(map.next_range()?.is_none());
        Ok(map.position())
    }

    #[test]
    fn the_status_of_the_filter_before_is_passed_on() {
        for begun in ["", "[", r#"[{"start":0,"length":512,"zero":true}"#, r#"[{"start":0,"len"#] {
            let failure = read(&format!("{begun}{{\"exit_status\":4")).unwrap_err();
            assert_eq!(failure.status() as u8, 4, "{failure}");
        }
    }

    #[test]
    fn an_array_is_read_to_its_end_and_nothing_may_follow() {
        let one = r#"{"start":0,"length":512,"zero":true,"x":[{"]":1}]}"#;
        let two = r#"{"start":512,"length":512,"zero":true}"#;
        assert_eq!(read("[]"), Ok(0));
        assert_eq!(read(&format!(" [ {one} ,\n{two}\t]\n")), Ok(1024));
        for bad in [
            String::new(),
            "[".to_owned(),
            "{}".to_owned(),
            "]".to_owned(),
            "[,]".to_owned(),
            "[1]".to_owned(),
            format!("[{one}"),
            format!("[{one},"),
            format!("[{one},]"),
            format!("[{one}{two}]"),
            format!("[{one};{two}]"),
            format!("({one}]"),
            format!("[{one},{two}"),
            format!("[{one}]]"),
            format!("[{one},{one}]"),
            format!("[{two}]"),
            "[{\"start\":0,\"length\":512,\"zero\":tr".to_owned(),
            format!("[{{\"start\":0,\"filename\":\"{}\"}}]", "x".repeat(70_000)),
        ] {
            assert_eq!(read(&bad).map_err(|failure| failure.status() as u8), Err(3), "{bad:.80}");
        }
    }

    #[test]
    fn a_map_ends_where_it_says_that_its_disk_does() {
        let entry = |number: u64, said: &str| {
            format!(r#"{{"start":{},"length":512,"zero":true{said}}}"#, number * 512)
        };
        for (said, entries, expected) in [
            (r#","virtual_size":1024"#, 2, Ok(1024)),
            (r#","virtual_size":1023"#, 2, Err(3)),
            (r#","virtual_size":1536"#, 2, Err(3)),
            (r#","virtual_size":1024"#, 1, Err(3)),
            (r#","virtual_size":0"#, 1, Err(3)),
            (r#","virtual_size":-1"#, 1, Err(3)),
            (r#","virtual_size":18446744073709551616"#, 1, Err(3)),
            (r#","virtual_size":null"#, 1, Ok(512)),
        ] {
            let map: Vec<String> =
                (0..entries).map(|number| entry(number, if number == 0 { said } else { "" })).collect();
            let found = read(&format!("[{}]", map.join(",")));
            assert_eq!(found.map_err(|failure| failure.status() as u8), expected, "{said} {entries}");
        }
    }
}
