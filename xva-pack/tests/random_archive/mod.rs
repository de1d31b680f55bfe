//! Archives from a seed: disks, gaps, keepalives and forms of headers that are allowed, and then, in most of them, one
//! or two things that were dropped, moved, or changed.

use std::collections::BTreeMap;

use image_builders::qcow2::Dice;
use xva_pack::xva::checksum::Algorithm;

use crate::archive_builder::{Archive, data, ova, ustar};

/// Names of disks, some of which begin others.
const PREFIXES: [&str; 7] = ["Ref:0", "Ref:00", "Ref:1", "Ref:10", "Ref:2", "disk", "é"];

/// An archive, and what is in it.
pub(crate) struct RandomArchive {
    pub(crate) bytes: Vec<u8>,
    /// The disks of its metadata: prefix and bytes.
    pub(crate) announced: Vec<(String, usize)>,
    /// The disks, if nothing was done to the archive after they were put in.
    pub(crate) truth: Option<BTreeMap<String, Vec<u8>>>,
}

/// How a member is written.
#[derive(Clone, Copy, Debug)]
enum Form {
    V7,
    Ustar,
    LongName,
    Pax,
    /// A header with this type flag.
    Kind(u8),
    /// A size in base 256.
    Binary,
    WrongHeader,
    /// This many records of zeros stand before the member.
    After(usize),
}

#[derive(Clone, Debug)]
struct Member {
    name: String,
    data: Vec<u8>,
    form: Form,
}

impl RandomArchive {
    pub(crate) fn new(dice: &mut Dice) -> Self {
        let unit = dice.pick(&[512, 4096, 4096, 8192]);
        let mut prefixes = PREFIXES.to_vec();
        dice.shuffle(&mut prefixes);
        prefixes.truncate(1 + below(dice, 3));
        let announced: Vec<(String, usize)> = prefixes
            .iter()
            .map(|prefix| ((*prefix).to_owned(), 512 * (1 + below(dice, 5 * unit / 512))))
            .collect();
        let mut in_order = announced.clone();
        in_order.sort();
        let mut members = Vec::new();
        let mut truth = BTreeMap::new();
        for (prefix, size) in &in_order {
            truth.insert(prefix.clone(), disk(dice, prefix, *size, unit, &mut members));
        }
        // Gaps are counted in the length of the first block, which must be the usual one.
        let mut is_sound = in_order[0].1 >= unit;
        for _ in 0..below(dice, 3) {
            is_sound = false;
            damage(dice, &mut members);
        }
        let sizes: Vec<(&str, usize)> =
            announced.iter().map(|(prefix, size)| (prefix.as_str(), *size)).collect();
        let metadata = Archive::default().member("ova.xml", &ova(&sizes));
        let begun = metadata.0.len();
        let mut bytes = members.iter().fold(metadata, |archive, member| member.write(archive)).end();
        if dice.one_in(8) {
            is_sound = false;
            let length = begun + below(dice, bytes.len() - begun);
            bytes.truncate(length);
        }
        RandomArchive { bytes, announced, truth: is_sound.then_some(truth) }
    }
}

fn below(dice: &mut Dice, limit: usize) -> usize {
    usize::try_from(dice.below(limit as u64)).unwrap()
}

/// Appends the members of a disk, whose bytes are the answer.
fn disk(dice: &mut Dice, prefix: &str, size: usize, unit: usize, members: &mut Vec<Member>) -> Vec<u8> {
    let algorithm = dice.pick(&[Algorithm::Xxhash, Algorithm::Sha1]);
    let mut disk = vec![0; size];
    let (mut number, mut begun) = (0, false);
    for (n, block) in disk.chunks_mut(unit).enumerate() {
        let is_last = (n + 1) * unit >= size;
        if begun && dice.one_in(4) {
            push(dice, members, format!("{prefix}/{number:08}"), Vec::new(), algorithm);
            number += 1;
        }
        if n == 0 || is_last || !dice.one_in(3) {
            if !dice.one_in(5) {
                block.copy_from_slice(&data(dice.roll(), block.len()));
            }
            push(dice, members, format!("{prefix}/{number:08}"), block.to_vec(), algorithm);
        }
        begun = true;
        number += 1;
    }
    disk
}

/// Appends a block and its checksum.
fn push(dice: &mut Dice, members: &mut Vec<Member>, name: String, data: Vec<u8>, algorithm: Algorithm) {
    let checksum = format!("{name}{}", algorithm.suffix());
    let text = algorithm.text(&data).into_bytes();
    for (name, data) in [(name, data), (checksum, text)] {
        let form = dice.pick(&[
            Form::V7,
            Form::V7,
            Form::V7,
            Form::Ustar,
            Form::LongName,
            Form::Pax,
            Form::After(1),
        ]);
        members.push(Member { name, data, form });
    }
}

/// Does something to a member, or to a block and its checksum together.
fn damage(dice: &mut Dice, members: &mut Vec<Member>) {
    if members.len() < 2 {
        return;
    }
    let pair = 2 * below(dice, members.len() / 2);
    let other = 2 * below(dice, members.len() / 2);
    let one = below(dice, members.len());
    match dice.below(18) {
        0 => drop(members.drain(pair..pair + 2)),
        1 => drop(members.remove(one)),
        2 => {
            let copies = members[pair..pair + 2].to_vec();
            members.splice(other..other, copies);
        }
        3 => members.swap(one, pair),
        4 => {
            members.swap(pair, other);
            members.swap(pair + 1, other + 1);
        }
        5 | 6 => {
            let by = dice.pick(&[-1, 1, 2]);
            members[pair..pair + 2].iter_mut().for_each(|member| member.renumber(by));
        }
        7 => members[one].renumber(1),
        8 => {
            let length = members[one].data.len();
            let length = dice.pick(&[length + 512, length.saturating_sub(512), length + 1, length / 2, 0]);
            members[one].data.resize(length, 7);
        }
        9 => {
            // The checksum is right again.
            let length = dice.pick(&[0, 512, 4096, 8192, 100]);
            members[pair].data = data(dice.roll(), length);
            members[pair + 1].data = Algorithm::Xxhash.text(&members[pair].data).into_bytes();
            members[pair + 1].name = format!("{}.xxhash", members[pair].name);
        }
        10 => {
            let member = &mut members[one];
            if let Some(byte) = member.data.len().checked_sub(1).map(|last| below(dice, last + 1)) {
                member.data[byte] ^= 1 << dice.below(8);
            }
        }
        11 => {
            let text = String::from_utf8_lossy(&members[pair + 1].data).into_owned();
            let changed = dice.pick(&["lower", "upper", "newline"]);
            members[pair + 1].data = match changed {
                "lower" => text.to_lowercase(),
                "upper" => text.to_uppercase(),
                _ => text + "\n",
            }
            .into_bytes();
        }
        12 => members[one].name += dice.pick(&[".md5", "0", ".xxhash", ""]),
        13 => {
            let to = dice.pick(&PREFIXES);
            for member in &mut members[pair..pair + 2] {
                let (_, rest) = member.name.split_once('/').unwrap_or_default();
                member.name = format!("{to}/{rest}");
            }
        }
        14 => members[one].form = Form::Kind(dice.pick(b"15S")),
        15 => members[one].form = dice.pick(&[Form::Binary, Form::WrongHeader]),
        16 => members[one].form = Form::After(2),
        _ => {
            let name = dice.pick(&["notes.txt", "Ref:0", "Ref:1/readme"]).to_owned();
            members.insert(one, Member { name, data: b"hello".to_vec(), form: Form::V7 });
        }
    }
}

impl Member {
    /// Adds `by` to the number in the name.
    fn renumber(&mut self, by: i64) {
        let Some((prefix, rest)) = self.name.split_once('/') else { return };
        let (digits, suffix) = rest.split_at(rest.find('.').unwrap_or(rest.len()));
        if let Ok(number) = digits.parse::<i64>() {
            self.name = format!("{prefix}/{:08}{suffix}", number.saturating_add(by).max(0));
        }
    }

    fn write(&self, archive: Archive) -> Archive {
        let (name, data) = (self.name.as_str(), self.data.as_slice());
        match self.form {
            Form::V7 => archive.member(name, data),
            Form::Ustar => archive.member_with(name, data, |header| ustar(header, b'0')),
            Form::Kind(kind) => archive.member_with(name, data, |header| ustar(header, kind)),
            Form::LongName => archive
                .member_with("././@LongLink", format!("{name}\0").as_bytes(), |header| {
                    header[257..265].copy_from_slice(b"ustar  \0");
                    header[156] = b'L';
                })
                .member("another name", data),
            Form::Pax => archive
                .member_with("PaxHeader", &pax("path", name), |header| ustar(header, b'x'))
                .member_with("another name", data, |header| ustar(header, b'0')),
            Form::Binary => archive.member_with(name, data, |header| {
                let length = u64::try_from(data.len()).unwrap().to_be_bytes();
                header[124..136].copy_from_slice(&[&[0x80, 0, 0, 0][..], &length].concat());
            }),
            Form::WrongHeader => {
                let at = archive.0.len();
                let mut archive = archive.member(name, data);
                archive.0[at + 100] ^= 1;
                archive
            }
            Form::After(records) => archive.raw(&vec![0; 512 * records]).member(name, data),
        }
    }
}

/// A record of a pax header, which counts its own length.
fn pax(key: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {key}={value}\n");
    let length =
        (rest.len()..rest.len() + 4).find(|length| length.to_string().len() + rest.len() == *length).unwrap();
    format!("{length}{rest}").into_bytes()
}
