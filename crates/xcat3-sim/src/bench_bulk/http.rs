//! A small HTTP/1.1 client that costs little beside what it measures: one connection a request, the
//! times of the first and the last byte of the answer's body, and of each piece between.
//!
//! No TLS, no redirects, no reuse: it talks to our own API on loopback and to nothing else.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// The longest silence of the server: a million nodes on slow disks are answered within it.
const READ_TIMEOUT: Duration = Duration::from_secs(900);

/// A request.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// For example `PUT`.
    pub method: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// What is accepted, for example `application/json`.
    pub accept: &'a str,
    /// The body; empty: none.
    pub body: &'a [u8],
}

/// What came back.
#[derive(Default)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The media type.
    pub content_type: String,
    /// The body, decoded.
    pub body: Vec<u8>,
    /// From before connecting to the first byte of the body.
    pub first: Duration,
    /// From before connecting to the last byte of the body.
    pub whole: Duration,
    /// How much of the body was there at which time, where it came in pieces.
    pub pieces: Vec<(usize, Duration)>,
}

impl Answer {
    /// When the byte of the body at `place` was there, from before connecting.
    #[must_use]
    pub fn arrival(&self, place: usize) -> Duration {
        let after = self.pieces.partition_point(|(length, _)| *length <= place);
        self.pieces.get(after).map_or(self.whole, |(_, time)| *time)
    }
}

/// Sends a request to `address`, for example `127.0.0.1:3010`, and reads the whole answer.
///
/// # Errors
/// The server can't be reached, or what it answers is no HTTP.
pub fn send(address: &str, request: Request<'_>) -> Result<Answer> {
    let started = Instant::now();
    let mut stream = TcpStream::connect(address).with_context(|| address.to_owned())?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    let Request {
        method,
        path,
        accept,
        body,
    } = request;
    let length = body.len();
    let mut message = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAccept: {accept}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )
    .into_bytes();
    message.extend_from_slice(body);
    stream.write_all(&message)?;
    let mut reader = BufReader::with_capacity(1 << 16, stream);
    let head = head(&mut reader).with_context(|| format!("{method} {path}"))?;
    let mut body = Vec::with_capacity(head.length.unwrap_or(1 << 16));
    reader.fill_buf()?;
    let first = started.elapsed();
    let mut pieces = Vec::new();
    match head.length {
        _ if head.chunked => chunks(&mut reader, &mut body, |length| {
            pieces.push((length, started.elapsed()));
        })?,
        Some(length) => {
            body.resize(length, 0);
            reader.read_exact(&mut body)?;
        }
        None => {
            reader.read_to_end(&mut body)?;
        }
    }
    Ok(Answer {
        status: head.status,
        content_type: head.content_type,
        body,
        first,
        whole: started.elapsed(),
        pieces,
    })
}

#[derive(Default)]
struct Head {
    status: u16,
    content_type: String,
    length: Option<usize>,
    chunked: bool,
}

fn head(reader: &mut impl BufRead) -> Result<Head> {
    let line = line(reader)?;
    let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
    let mut head = Head {
        status: status.with_context(|| format!("no status line: {line}"))?,
        ..Head::default()
    };
    loop {
        let line = self::line(reader)?;
        if line.is_empty() {
            return Ok(head);
        }
        let Some((name, value)) = line.split_once(':') else {
            bail!("no header line: {line}");
        };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => head.length = Some(value.parse()?),
            "content-type" => head.content_type = value.to_owned(),
            "transfer-encoding" => head.chunked = value.eq_ignore_ascii_case("chunked"),
            _ => {}
        }
    }
}

/// Reads chunks to their end; `piece` is told how long the body is with each.
fn chunks(
    reader: &mut impl BufRead,
    body: &mut Vec<u8>,
    mut piece: impl FnMut(usize),
) -> Result<()> {
    loop {
        let size = line(reader)?;
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)
            .with_context(|| format!("no size of a chunk: {size}"))?;
        let copied = reader.take(size as u64).read_to_end(body)?;
        ensure!(copied == size, "the answer broke off inside a chunk");
        let end = line(reader)?;
        ensure!(end.is_empty(), "a chunk is longer than it said");
        if size == 0 {
            return Ok(());
        }
        piece(body.len());
    }
}

fn line(reader: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    let read = reader.take(1 << 16).read_line(&mut line)?;
    ensure!(read > 0, "the answer broke off");
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined() {
        let (mut body, mut pieces) = (Vec::new(), Vec::new());
        chunks(
            &mut &b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n"[..],
            &mut body,
            |length| pieces.push(length),
        )
        .unwrap();
        assert_eq!(body, b"abc0123456789");
        assert_eq!(pieces, [3, 13]);
    }

    #[test]
    fn an_answer_that_breaks_off_is_an_error() {
        assert!(chunks(&mut &b"5\r\nabc"[..], &mut Vec::new(), |_| {}).is_err());
        assert!(chunks(&mut &b"3\r\nabc\r\n"[..], &mut Vec::new(), |_| {}).is_err());
        assert!(head(&mut &b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"[..]).is_err());
    }

    #[test]
    fn a_head_is_read() {
        let text =
            b"HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\nContent-Length: 7\r\n\r\n";
        let head = head(&mut &text[..]).unwrap();
        assert_eq!(
            (head.status, head.length, head.chunked),
            (202, Some(7), false)
        );
        assert_eq!(head.content_type, "application/json");
    }
}
