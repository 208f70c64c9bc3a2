//! What parent and worker say to one another, over the socket that is the worker's standard input.
//!
//! First the parent says what the worker is to be ([`Hello`]), with the listening socket, if any, as a
//! descriptor beside it. From then on each says short lines: the worker that it lives, that it serves
//! or what it waits for; the parent which other worker was lost.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Config;
use crate::slot::Condition;

/// A configuration is some kilobytes; what says more is not a parent.
const LONGEST: usize = 16 << 20;
/// Longest line that is taken from a worker, in bytes.
pub(crate) const LONGEST_LINE: usize = 4096;

/// What a worker is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// The process that started it.
    pub(crate) parent: i32,
    /// Its number, from 0.
    pub(crate) worker: u32,
    /// How many workers there are to be.
    pub(crate) workers: u32,
    /// Made for this run of it.
    pub(crate) instance: Uuid,
    /// The state directory.
    pub(crate) state: PathBuf,
    /// The configuration as the parent understood it: the file may have changed since.
    pub(crate) config: Config,
}

impl Hello {
    /// Says it over `socket`, with `descriptor` beside it.
    pub(crate) fn send(
        &self,
        socket: impl AsFd,
        descriptor: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let text = toml::to_string(self).map_err(io::Error::other)?;
        let length = u32::try_from(text.len()).map_err(io::Error::other)?;
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.extend_from_slice(text.as_bytes());
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        let descriptors = descriptor.map(|descriptor| [descriptor]);
        if let Some(descriptors) = &descriptors {
            beside.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        let mut sent = 0;
        while sent < bytes.len() {
            let part = [IoSlice::new(&bytes[sent..])];
            sent += sendmsg(&socket, &part, &mut beside, SendFlags::NOSIGNAL)?;
            beside.clear();
        }
        Ok(())
    }

    /// Hears it from `socket`, which blocks.
    pub(crate) fn receive(socket: impl AsFd) -> io::Result<(Self, Option<OwnedFd>)> {
        let mut descriptor = None;
        let mut length = [0; 4];
        fill(&socket, &mut length, &mut descriptor)?;
        let length = u32::from_be_bytes(length) as usize;
        if length > LONGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut text = vec![0; length];
        fill(&socket, &mut text, &mut descriptor)?;
        let text = String::from_utf8(text).map_err(io::Error::other)?;
        let hello = toml::from_str(&text).map_err(io::Error::other)?;
        Ok((hello, descriptor))
    }
}

fn fill(socket: impl AsFd, buffer: &mut [u8], found: &mut Option<OwnedFd>) -> io::Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut buffer[filled..])];
        let received = recvmsg(&socket, &mut parts, &mut beside, RecvFlags::CMSG_CLOEXEC)?;
        if received.bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += received.bytes;
        for message in beside.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                *found = descriptors.last();
            }
        }
    }
    Ok(())
}

/// What a worker says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// That it lives.
    Beat,
    /// What it is about.
    Is(Condition),
}

impl Said {
    /// As a line, its end included.
    pub(crate) fn line(&self) -> String {
        match self {
            Self::Beat => "beat\n".to_owned(),
            Self::Is(Condition::Starting) => "starting\n".to_owned(),
            Self::Is(Condition::Serving) => "serving\n".to_owned(),
            Self::Is(Condition::Waiting(sentence)) => {
                let line: String = sentence.chars().filter(|c| !c.is_control()).collect();
                let end = line.floor_char_boundary(LONGEST_LINE / 2);
                format!("waiting {}\n", &line[..end])
            }
        }
    }

    /// From a line without its end; `None` where it makes no sense.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("beat", "") => Some(Self::Beat),
            ("starting", "") => Some(Self::Is(Condition::Starting)),
            ("serving", "") => Some(Self::Is(Condition::Serving)),
            ("waiting", sentence) => Some(Self::Is(Condition::Waiting(sentence.to_owned()))),
            _ => None,
        }
    }
}

/// The line by which the parent tells a worker that the run `instance` of another one is no more.
pub(crate) fn lost(instance: Uuid) -> String {
    format!("lost {instance}\n")
}

/// The run that such a line names.
pub(crate) fn parse_lost(line: &str) -> Option<Uuid> {
    line.strip_prefix("lost ")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::os::unix::net::UnixStream;
    use std::path::Path;

    fn hello() -> Hello {
        let packages = "\"vim\", ".repeat(30_000);
        let text = format!("[bus]\nurl = \"nats://u:p@h:1\"\n[install]\npackages = [{packages}]\n");
        let mut config = Config::parse(&text, Path::new("/etc/xcat3/xcat3.conf")).unwrap();
        config.set("api", "listen", "127.0.0.1:1");
        Hello {
            parent: 7,
            worker: 3,
            workers: 4,
            instance: Uuid::new_v4(),
            state: "/s p".into(),
            config,
        }
    }

    #[test]
    fn a_worker_hears_what_it_is_to_be_and_is_handed_the_socket() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let hello = hello();
        let said = hello.clone();
        let sending = std::thread::spawn(move || {
            said.send(&ours, Some(listener.as_fd())).unwrap();
            ours
        });
        let (heard, descriptor) = Hello::receive(&theirs).unwrap();
        drop(sending.join().unwrap());
        assert_eq!(heard, hello);
        let listener = TcpListener::from(descriptor.unwrap());
        assert_eq!(listener.local_addr().unwrap(), address);
        let end = (&theirs).read(&mut [0]).unwrap();
        assert_eq!(end, 0);
    }

    #[test]
    fn who_is_no_parent_is_not_listened_to() {
        for bytes in [
            &b""[..],
            b"\0\0\0",
            b"\0\0\0\x05abc",
            b"\xff\xff\xff\xff",
            b"\0\0\0\x03a=b",
        ] {
            let (mut ours, theirs) = UnixStream::pair().unwrap();
            ours.write_all(bytes).unwrap();
            drop(ours);
            assert!(Hello::receive(&theirs).is_err(), "{bytes:?}");
        }
        assert!(Hello::receive(std::fs::File::open("/dev/null").unwrap()).is_err());
    }

    #[test]
    fn lines_say_what_was_said() {
        let waiting = Condition::Waiting("for the database: it is away".into());
        let all = [
            Said::Beat,
            Said::Is(Condition::Serving),
            Said::Is(Condition::Starting),
            Said::Is(waiting),
        ];
        for said in all {
            let line = said.line();
            assert_eq!(Said::parse(line.trim_end_matches('\n')), Some(said));
        }
        let long = Said::Is(Condition::Waiting("é\n".repeat(LONGEST_LINE))).line();
        assert!(long.len() < LONGEST_LINE && long.lines().count() == 1);
        assert_eq!(Said::parse("what"), None);
        let id = Uuid::new_v4();
        assert_eq!(parse_lost(lost(id).trim_end()), Some(id));
        assert_eq!(parse_lost("lost and found"), None);
    }
}
