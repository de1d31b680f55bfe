//! Numbers of bytes as people write them: `512M`, `20G`.

/// Reads a number of bytes, with K, M, G, T or P for powers of 1024, in either case, also as KiB.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let refused = || format!("found {text:?}, expected bytes, or such as 512M, 20G, 1T");
    let lower = text.to_ascii_lowercase();
    let short = lower.strip_suffix("ib").unwrap_or(&lower);
    let digits = short.trim_end_matches(['k', 'm', 'g', 't', 'p']);
    let factor = match &short[digits.len()..] {
        "" if short == lower => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        "p" => 1_u64 << 50,
        _ => return Err(refused()),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refused());
    }
    digits.parse().ok().and_then(|number: u64| number.checked_mul(factor)).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("512", 512),
            ("1k", 1024),
            ("3M", 3 << 20),
            ("2GiB", 2 << 30),
            ("20g", 20 << 30),
            ("1T", 1 << 40),
            ("1P", 1 << 50),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "G", "1.5G", "-1", "+1", "1Gb", "1 G", "99999999P", "1ib", "0x10", "1kk"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }
}
