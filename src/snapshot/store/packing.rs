//! How an object is written: Zstandard, and where a similar object is known, as the difference to it. Whatever the
//! file says, what comes out is checked against the name by whoever reads it.

use std::io::{Read as _, Write as _};

use zstd::stream::{read::Decoder, write::Encoder};

/// The first line of a file: the format and the object that it is a difference to, or `-`.
const FORMAT: &str = "moonstack object 1";
const LEVEL: i32 = 6;
/// Smaller objects are written whole: a difference would save nothing and tie them to another file.
const SMALL: usize = 2048;
/// Never more than this is unpacked, whatever a file promises.
pub const LARGEST: u64 = 512 * 1024 * 1024;

/// A file of the store, taken apart.
pub struct Packed<'a> {
    pub base: Option<&'a str>,
    frame: &'a [u8],
}

/// The file for `bytes`. With a base it is the difference to it, unless that is no gain.
pub fn pack(bytes: &[u8], base: Option<(&str, &[u8])>) -> std::io::Result<Vec<u8>> {
    let whole = compressed(bytes, None)?;
    if let Some((id, base)) = base.filter(|_| bytes.len() > SMALL) {
        let difference = compressed(bytes, Some(base))?;
        if difference.len() < whole.len() / 2 {
            return Ok(with_header(id, &difference));
        }
    }
    Ok(with_header("-", &whole))
}

fn with_header(base: &str, frame: &[u8]) -> Vec<u8> {
    let mut out = format!("{FORMAT} {base}\n").into_bytes();
    out.extend_from_slice(frame);
    out
}

fn compressed(bytes: &[u8], base: Option<&[u8]>) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut encoder = match base {
        Some(base) => {
            let mut encoder = Encoder::with_ref_prefix(&mut out, LEVEL, base)?;
            encoder.window_log(window(bytes.len() + base.len()))?;
            encoder.long_distance_matching(true)?;
            encoder
        }
        None => Encoder::new(&mut out, LEVEL)?,
    };
    encoder.include_checksum(true)?;
    encoder.set_pledged_src_size(Some(bytes.len() as u64))?;
    encoder.write_all(bytes)?;
    encoder.finish()?;
    Ok(out)
}

/// The window must reach over both texts.
fn window(size: usize) -> u32 {
    size.next_power_of_two().trailing_zeros().clamp(17, 30)
}

/// Takes a file apart; none if it is not one of ours.
pub fn parse(file: &[u8]) -> Option<Packed<'_>> {
    let end = file.iter().take(200).position(|b| *b == b'\n')?;
    let header = std::str::from_utf8(file.get(..end)?).ok()?;
    let base = header.strip_prefix(FORMAT)?.strip_prefix(' ')?;
    let frame = file.get(end + 1..)?;
    Some(Packed { base: (base != "-").then_some(base), frame })
}

/// The content. More than [`LARGEST`] is an error, as is anything that is not a whole frame.
pub fn unpack(packed: &Packed<'_>, base: Option<&[u8]>) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let read = match base {
        Some(base) => {
            let mut decoder = Decoder::with_ref_prefix(packed.frame, base)?;
            decoder.window_log_max(31)?;
            decoder.single_frame().take(LARGEST + 1).read_to_end(&mut out)?
        }
        None => Decoder::with_buffer(packed.frame)?.single_frame().take(LARGEST + 1).read_to_end(&mut out)?,
    };
    if read as u64 > LARGEST {
        return Err(std::io::Error::other("it is larger than any object may be"));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(seed: u64) -> Vec<u8> {
        // Bytes that do not compress by themselves.
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        };
        (0..50_000).map(|_| next()).collect()
    }

    #[test]
    fn what_is_packed_comes_out_again() {
        for bytes in [Vec::new(), b"x".to_vec(), text(1)] {
            let file = pack(&bytes, None).unwrap();
            assert_eq!(unpack(&parse(&file).unwrap(), None).unwrap(), bytes);
        }
    }

    #[test]
    fn a_similar_object_is_a_small_difference() {
        let base = text(1);
        let mut other = base.clone();
        other.splice(20_000..20_010, b"another version".iter().copied());
        let file = pack(&other, Some(("base", &base))).unwrap();
        assert!(file.len() < 500, "{}", file.len());
        let packed = parse(&file).unwrap();
        assert_eq!(packed.base, Some("base"));
        assert_eq!(unpack(&packed, Some(&base)).unwrap(), other);
        let foreign = pack(&text(2), Some(("base", &base))).unwrap();
        assert_eq!(parse(&foreign).unwrap().base, None, "no gain, so it stands alone");
    }

    #[test]
    fn damaged_files_are_errors_and_no_panic() {
        let bytes = text(3);
        let file = pack(&bytes, None).unwrap();
        for at in (0..file.len()).step_by(97) {
            let mut damaged = file.clone();
            damaged[at] ^= 1;
            let out = parse(&damaged).map(|packed| unpack(&packed, None));
            assert!(!matches!(out, Some(Ok(out)) if out != bytes), "a flip at {at} gave something else");
            let cut = parse(&file[..at]).map(|packed| unpack(&packed, None));
            assert!(!matches!(cut, Some(Ok(_))), "cut at {at}");
        }
        assert!(parse(b"something else\n").is_none());
    }
}
