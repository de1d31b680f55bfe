//! The members of a tar one after the other: headers, long names, pax attributes, the zero records at the end.

use extents::extent::length::in_memory;

use crate::unpack::finding::{Finding, Severity, Stop};
use crate::unpack::findings::Findings;
use crate::unpack::foreign;
use crate::unpack::input::Input;
use crate::unpack::member::{Beyond, Member};
use crate::xva::block::BLOCK;
use crate::xva::extended_header::Overrides;
use crate::xva::tar_header::{self, TarHeader};
use crate::xva::tar_member::{RECORD, padding};

/// Bytes of a long name or of pax attributes. GNU tar and bsdtar write less than 4 KiB for names of this length.
const MAX_EXTENDED: u64 = 64 << 10;

/// The most bytes of no meaning that may follow an archive inside its compression: a few of them can say many.
const MAX_REST: u64 = 64 << 20;

/// Reads headers. The data of each member must be read or skipped, and then its padding, before the next.
#[derive(Debug)]
pub(crate) struct Members {
    /// The archive.
    pub(crate) input: Input,
    /// Both zero records at the end were seen.
    pub(crate) trailer_seen: bool,
    /// The input has no more bytes.
    ended: bool,
    /// One name with a leading `./` was reported already: they come by the thousand.
    dot_reported: bool,
    /// Bytes passed over where nothing is expected any more, without the members of 1 MiB that are blocks perhaps.
    passed_over: u64,
}

impl Members {
    pub(crate) fn new(input: Input) -> Self {
        Members { input, trailer_seen: false, ended: false, dot_reported: false, passed_over: 0 }
    }

    /// The next member; none at the end of the archive.
    pub(crate) fn next(&mut self, findings: &mut Findings) -> Result<Option<Member>, Stop> {
        let Some((member, found)) = self.next_with_findings()? else { return Ok(None) };
        found.into_iter().try_for_each(|finding| findings.raise(finding))?;
        Ok(Some(member))
    }

    /// What comes next where nothing is expected any more: an end-of-tar does not end the search, and a record that is no
    /// header is passed over.
    pub(crate) fn next_beyond(&mut self) -> Result<Beyond, Stop> {
        while !self.ended {
            let begun = self.input.position();
            let found = self.next_with_findings();
            if !matches!(found, Ok(Some(_))) {
                self.pass_over(self.input.position() - begun)?;
            }
            match found {
                Ok(Some((member, _))) => return Ok(Beyond::Member(member)),
                Ok(None) => {}
                // Where nothing could be read, nothing else can be.
                Err(Stop::Damaged(_)) if self.input.position() > begun => return Ok(Beyond::Junk),
                Err(stop) => return Err(stop),
            }
        }
        Ok(Beyond::End)
    }

    /// Leaves out a member that was found there; it may be cut off.
    pub(crate) fn skip_beyond(&mut self, member: &Member) -> Result<(), Stop> {
        self.pass_over(member.size.saturating_sub(BLOCK))?;
        match self.skip(member) {
            Err(Stop::Damaged(_)) => Ok(()),
            done => done,
        }
    }

    /// Takes note of so many bytes of which nobody knows what they are.
    fn pass_over(&mut self, length: u64) -> Result<(), Stop> {
        self.passed_over = self.passed_over.saturating_add(length);
        if self.input.is_compressed() && self.passed_over > MAX_REST {
            let what = format!("goes on after its end: found more than {MAX_REST} bytes");
            return Err(Finding::damage_at(self.input.position(), what).into());
        }
        Ok(())
    }

    /// The next member, and what the importer would refuse in its headers.
    fn next_with_findings(&mut self) -> Result<Option<(Member, Vec<Finding>)>, Stop> {
        let byte = self.input.position();
        let mut overrides = Overrides::default();
        let mut objections = Vec::new();
        let mut global_headers = 0;
        let mut extended = false;
        let mut record = [0; RECORD];
        loop {
            let at = self.input.position();
            if !self.header(&mut record)? {
                if extended {
                    return Err(Finding::damage_at(at, "ends early, after an extended header").into());
                }
                return Ok(None);
            }
            let header = match tar_header::parse(&record) {
                Ok(header) => header,
                Err(what) => {
                    let refused = if at == 0 { foreign::refuse(&mut self.input, &record)? } else { None };
                    return Err(refused.unwrap_or_else(|| Finding::damage_at(at, what).into()));
                }
            };
            objections.extend(header.objection.clone());
            match header.type_flag {
                b'L' => overrides.long_name(&self.extended(&header)?),
                b'K' => drop(self.extended(&header)?),
                b'x' => {
                    let data = self.extended(&header)?;
                    overrides.pax(&data).map_err(|what| Finding::damage_at(at, what))?;
                }
                b'g' => {
                    let data = self.extended(&header)?;
                    let mut of_all = Overrides::default();
                    of_all.pax(&data).map_err(|what| Finding::damage_at(at, what))?;
                    if of_all != Overrides::default() {
                        objections.push("a global pax header sets a path or size for all members".to_owned());
                    }
                    global_headers += 1;
                    if global_headers == 2 {
                        objections.push("found several global pax headers in a row, expected one".to_owned());
                    }
                }
                _ => return self.member(header, overrides, byte, objections).map(Some),
            }
            extended = true;
        }
    }

    /// Reads the padding after data of `size` bytes.
    pub(crate) fn end_data(&mut self, size: u64, what: &str) -> Result<(), Stop> {
        self.input.skip(padding(size) as u64, format_args!("the padding of {what}"))
    }

    /// Leaves a member out.
    pub(crate) fn skip(&mut self, member: &Member) -> Result<(), Stop> {
        self.input.skip(member.size, &member.name)?;
        self.end_data(member.size, &member.name)
    }

    /// Fills `record` with the next one that is not zero, and yields whether there is one. Two zero records end the archive; a
    /// single one is skipped, as the importer does.
    fn header(&mut self, record: &mut [u8; RECORD]) -> Result<bool, Stop> {
        let mut zeros = 0;
        loop {
            let count = self.input.read(record)?;
            self.ended = count < RECORD;
            match count {
                RECORD => {}
                // At the end of the archive there is nothing that is not zero.
                count if record.iter().take(count).all(|&byte| byte == 0) => return Ok(false),
                count => {
                    let end = self.input.position();
                    let foreign = match &record[..count] {
                        first if end == count as u64 => foreign::refuse(&mut self.input, first)?,
                        _ => None,
                    };
                    let cut_off = || Finding::damage_at(end, "ends early, in a tar header").into();
                    return Err(foreign.unwrap_or_else(cut_off));
                }
            }
            if *record != [0; RECORD] {
                return Ok(true);
            }
            zeros += 1;
            if zeros == 2 {
                self.trailer_seen = true;
                return Ok(false);
            }
        }
    }

    /// The data of an extended header.
    fn extended(&mut self, header: &TarHeader) -> Result<Vec<u8>, Stop> {
        let at = self.input.position();
        let size = header.size;
        if size > MAX_EXTENDED {
            let what = format!(
                "an extended header is too long: found {size} bytes, expected at most {MAX_EXTENDED}"
            );
            return Err(Finding::damage_at(at, what).into());
        }
        let mut data = vec![0; in_memory(size)];
        self.input.read_exact(&mut data, "an extended header")?;
        self.end_data(header.size, "an extended header")?;
        Ok(data)
    }

    /// Puts together what the headers of one member said.
    fn member(
        &mut self,
        header: TarHeader,
        overrides: Overrides,
        byte: u64,
        objections: Vec<String>,
    ) -> Result<(Member, Vec<Finding>), Stop> {
        let name = overrides.name.unwrap_or(header.name);
        let name = String::from_utf8(name).map_err(|error| {
            let name = error.as_bytes().escape_ascii().to_string();
            Finding::damage_at(byte, format!("the name of a member is not UTF-8: found {name}"))
        })?;
        let size = overrides.size.unwrap_or(header.size);
        let is_file = matches!(header.type_flag, 0 | b'0' | b'7') && !name.ends_with('/');
        let mut member = Member { name, size, byte, is_file };
        if header.type_flag == b'S' {
            return Err(member
                .finding(Severity::Damaged, "is stored sparse: expected an archive made without tar --sparse")
                .into());
        }
        if !is_file && size > 0 {
            let kind = [header.type_flag].escape_ascii().to_string();
            let what = format!("found {size} bytes of data in a member of type {kind}, expected a file");
            return Err(member.finding(Severity::Damaged, what).into());
        }
        let refused = |what| member.finding(Severity::Refused, what);
        let mut found: Vec<Finding> = objections.into_iter().map(refused).collect();
        let plain = member.name.trim_start_matches("./");
        if plain.len() < member.name.len() {
            if !self.dot_reported {
                self.dot_reported = true;
                found.push(member.finding(Severity::Refused, "the name begins with ./"));
            }
            member.name = plain.to_owned();
        }
        Ok((member, found))
    }
}
