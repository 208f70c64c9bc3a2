//! Reads single files out of a Debian package: an ar archive (deb(5)) whose `data.tar.xz` is a ustar
//! archive. Nothing is unpacked to disk. Only what was compressed with xz or not at all is read.

use std::io::{self, BufReader, Read};

use lzma_rust2::XzReader;

/// Memory that decompression may take; xz -9 takes 65 MiB.
const MEMORY_KIB: u32 = 128 << 10;
/// Bytes that an archive may have once decompressed.
const LARGEST_ARCHIVE: u64 = 4 << 30;
const BLOCK: usize = 512;

/// Reads the files of a package whose path `wanted` accepts, each with its path.
///
/// # Errors
/// The package is damaged or compressed in another way, or a file is larger than `limit` bytes.
pub fn read_files(
    package: impl Read,
    limit: u64,
    wanted: &dyn Fn(&str) -> bool,
) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut package = BufReader::new(package);
    let mut magic = [0; 8];
    package.read_exact(&mut magic)?;
    if &magic != b"!<arch>\n" {
        return Err(invalid("it is no Debian package"));
    }
    loop {
        let mut header = [0; 60];
        package
            .read_exact(&mut header)
            .map_err(|_| invalid("it is a Debian package without files"))?;
        let name = text(&header[..16]).trim_end_matches('/').to_owned();
        let size: u64 = text(&header[48..58])
            .parse()
            .map_err(|_| invalid("it is a damaged Debian package"))?;
        let data = (&mut package).take(size);
        match name.as_str() {
            "data.tar.xz" => {
                let tar = XzReader::new_mem_limit(data, true, MEMORY_KIB);
                return read_tar(tar.take(LARGEST_ARCHIVE), limit, wanted);
            }
            "data.tar" => return read_tar(data, limit, wanted),
            other if other.starts_with("data.tar") => {
                return Err(invalid(&format!(
                    "its {other} is compressed in another way than xz: unpack it with `dpkg-deb -x` \
                     and give the directory"
                )));
            }
            // Members are padded to an even length.
            _ => skip(&mut package, size + size % 2)?,
        }
    }
}

/// Reads a ustar archive. Long names of GNU or pax archives are not needed for what is looked for.
fn read_tar(
    mut archive: impl Read,
    limit: u64,
    wanted: &dyn Fn(&str) -> bool,
) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    let mut header = [0; BLOCK];
    loop {
        archive.read_exact(&mut header)?;
        if header == [0; BLOCK] {
            return Ok(found);
        }
        let size = octal(&header[124..136]).ok_or_else(|| invalid("its archive is damaged"))?;
        let padding = size.next_multiple_of(BLOCK as u64) - size;
        let path = path(&header);
        let is_file = matches!(header[156], b'0' | 0);
        if is_file && wanted(&path) {
            if size > limit {
                return Err(invalid(&format!("its file {path} has {size} bytes")));
            }
            let mut content = Vec::new();
            (&mut archive).take(size).read_to_end(&mut content)?;
            if content.len() as u64 != size {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            found.push((path, content));
            skip(&mut archive, padding)?;
        } else {
            skip(&mut archive, size + padding)?;
        }
    }
}

fn path(header: &[u8; BLOCK]) -> String {
    let name = text(&header[..100]);
    let prefix = if &header[257..263] == b"ustar\0" {
        text(&header[345..500])
    } else {
        ""
    };
    let path = match prefix {
        "" => name.to_owned(),
        prefix => format!("{prefix}/{name}"),
    };
    path.trim_start_matches("./").to_owned()
}

fn octal(field: &[u8]) -> Option<u64> {
    let digits = text(field).trim_matches(' ');
    let size = u64::from_str_radix(digits, 8).ok()?;
    (size <= LARGEST_ARCHIVE).then_some(size)
}

/// A field up to its first NUL, without spaces at its end.
fn text(field: &[u8]) -> &str {
    let end = field
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(field.len());
    std::str::from_utf8(&field[..end])
        .unwrap_or("")
        .trim_end_matches(' ')
}

fn skip(reader: &mut impl Read, bytes: u64) -> io::Result<()> {
    let skipped = io::copy(&mut reader.take(bytes), &mut io::sink())?;
    if skipped == bytes {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, content) in entries {
            let mut header = [0; BLOCK];
            header[..name.len()].copy_from_slice(name.as_bytes());
            header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
            header[156] = b'0';
            bytes.extend(header);
            bytes.extend(*content);
            bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        }
        bytes.resize(bytes.len() + 2 * BLOCK, 0);
        bytes
    }

    fn deb(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = b"!<arch>\n".to_vec();
        for (name, content) in members {
            let header = format!(
                "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n",
                0,
                0,
                0,
                644,
                content.len()
            );
            bytes.extend(header.as_bytes());
            bytes.extend(*content);
            bytes.resize(bytes.len().next_multiple_of(2), b'\n');
        }
        bytes
    }

    #[test]
    fn wanted_files_are_read() {
        let archive = tar(&[
            ("./usr/a", &[1; 600]),
            ("./usr/b", b"bee"),
            ("./usr/c", b""),
        ]);
        let package = deb(&[("debian-binary", b"2.0"), ("data.tar", &archive)]);
        let found = read_files(&package[..], 1000, &|path| path != "usr/a").unwrap();
        assert_eq!(
            found,
            [
                ("usr/b".into(), b"bee".to_vec()),
                ("usr/c".into(), Vec::new())
            ]
        );
    }

    #[test]
    fn other_files_are_refused_with_a_reason() {
        let reason = |package: &[u8]| read_files(package, 10, &|_| true).unwrap_err().to_string();
        assert!(reason(b"hello, world").contains("no Debian package"));
        assert!(reason(&deb(&[("control.tar.xz", b"")])).contains("without files"));
        assert!(reason(&deb(&[("data.tar.zst", b"")])).contains("dpkg-deb -x"));
        let archive = tar(&[("./large", &[1; 11])]);
        assert!(reason(&deb(&[("data.tar", &archive)])).contains("11 bytes"));
        assert!(!reason(&deb(&[("data.tar", &archive[..700])])).is_empty());
    }

    proptest! {
        #[test]
        fn corrupted_packages_end(at in 0usize..3000, byte: u8, cut in 0usize..3000) {
            let archive = tar(&[("./usr/a", &[1; 600]), ("./usr/b", b"bee")]);
            let mut package = deb(&[("debian-binary", b"2.0\n"), ("data.tar", &archive)]);
            let len = package.len();
            package[at % len] = byte;
            package.truncate(cut.max(1));
            let _ = read_files(&package[..], 1000, &|_| true);
        }
    }
}
