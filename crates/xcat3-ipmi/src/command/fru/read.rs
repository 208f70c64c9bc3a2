//! Reading an inventory piece by piece (IPMI v2.0, 34.1 and 34.2): just what is in use of it, since
//! memories of 64 KiB are common and mostly empty.

use std::ops::Range;
use std::time::Duration;

use super::{Fru, HEADER, Header, STEP};
use crate::client::Error;
use crate::command::chunk::Chunk;
use crate::command::{Malformed, cut};
use crate::message::{Command, Completion};
use crate::requester::Requester;
use crate::wire::Reader;

/// Get FRU Inventory Area Info.
const INFO: Command = Command::new(0x0a, 0x10);
/// Read FRU Data.
const READ: Command = Command::new(0x0a, 0x11);
/// Somebody else is at the memory.
const IN_USE: Completion = Completion(0x81);
/// A field of the request is out of range.
const OUT_OF_RANGE: Completion = Completion(0xcc);
/// How often a memory in use is tried again, and after which pause.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(100);
/// The most records whose lengths are followed.
const MOST_RECORDS: usize = 64;

/// How a memory is addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Its size in bytes.
    pub size: usize,
    /// Offsets and counts are in words of two bytes.
    pub by_words: bool,
}

impl Access {
    /// Reads the answer of Get FRU Inventory Area Info.
    ///
    /// # Errors
    /// It is cut off.
    pub fn parse(answer: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(answer);
        let cut = cut("the size of the inventory");
        let size = reader.u16().map_err(&cut)?.into();
        let by_words = reader.u8().map_err(&cut)? & 1 != 0;
        Ok(Self { size, by_words })
    }
}

/// Reads the inventory of the unit with this number (0: the machine itself). Nothing where there is no
/// such unit.
///
/// # Errors
/// The BMC refuses, does not answer, says one length and gives another, or the inventory has no
/// header.
pub async fn read(bmc: &mut impl Requester, unit: u8) -> Result<Option<Fru>, Error> {
    let access = match bmc.request(INFO, &[unit]).await {
        Ok(answer) => Access::parse(&answer)?,
        // Quirk: `ipmi_sim` calls the number of a unit that is not there out of range.
        Err(Error::Refused(Completion::NOT_PRESENT | OUT_OF_RANGE)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut memory = Memory {
        bmc,
        unit,
        access,
        image: Vec::new(),
        there: Vec::new(),
        chunk: Chunk::new(&[128, 64, 32, 16, 8]),
    };
    match memory.read_used().await {
        Ok(()) => {}
        // Quirk: the memory of a power supply that is not plugged in has a size and can't be read.
        Err(Error::Refused(Completion::NOT_PRESENT)) if memory.there.is_empty() => return Ok(None),
        Err(error) => return Err(error),
    }
    let fru = Fru::parse(&memory.image).map_err(|problem| problem.within(format!("FRU {unit}")))?;
    Ok(Some(fru))
}

/// A memory of which parts are known.
struct Memory<'a, B> {
    bmc: &'a mut B,
    unit: u8,
    access: Access,
    /// Its bytes up to the last that was read; zero where none was.
    image: Vec<u8>,
    /// What was read.
    there: Vec<Range<usize>>,
    chunk: Chunk,
}

impl<B: Requester> Memory<'_, B> {
    async fn read_used(&mut self) -> Result<(), Error> {
        self.fetch(0..HEADER).await?;
        let Ok(header) = Header::parse(&self.image) else {
            return Ok(());
        };
        for at in [header.chassis, header.board, header.product] {
            if at != 0 && at < self.access.size {
                self.fetch(at..at + 2).await?;
                let length = self.byte(at + 1) * STEP;
                self.fetch(at..at + length).await?;
            }
        }
        let mut at = header.records;
        for _ in 0..MOST_RECORDS {
            if at == 0 || at >= self.access.size {
                break;
            }
            self.fetch(at..at + 5).await?;
            let end = at + 5 + self.byte(at + 2);
            self.fetch(at..end).await?;
            if self.byte(at + 1) & 0x80 != 0 {
                break;
            }
            at = end;
        }
        Ok(())
    }

    fn byte(&self, at: usize) -> usize {
        self.image.get(at).copied().unwrap_or_default().into()
    }

    /// Reads what is not there yet of the range, as far as the memory goes.
    async fn fetch(&mut self, wanted: Range<usize>) -> Result<(), Error> {
        let end = wanted.end.min(self.access.size);
        let mut at = wanted.start;
        while at < end {
            if let Some(known) = self.there.iter().find(|known| known.contains(&at)) {
                at = known.end;
                continue;
            }
            let got = self.piece(at, end - at).await?;
            if got.is_empty() {
                break;
            }
            let until = at + got.len();
            self.image.resize(self.image.len().max(until), 0);
            self.image[at..until].copy_from_slice(&got);
            match self.there.last_mut().filter(|last| last.end == at) {
                Some(last) => last.end = until,
                None => self.there.push(at..until),
            }
            at = until;
        }
        Ok(())
    }

    /// Some bytes from there on, at most as many as wanted or one more.
    async fn piece(&mut self, at: usize, wanted: usize) -> Result<Vec<u8>, Error> {
        let unit = if self.access.by_words { 2 } else { 1 };
        let mut tries = 0;
        loop {
            let bytes = wanted.min(self.chunk.size().into()).next_multiple_of(unit);
            let [low, high] = u16::try_from(at / unit).unwrap_or(u16::MAX).to_le_bytes();
            let count = u8::try_from(bytes / unit).unwrap_or(u8::MAX);
            match self.bmc.request(READ, &[self.unit, low, high, count]).await {
                Ok(answer) => return Ok(self.given(at, unit, bytes, &answer)?),
                Err(Error::Refused(IN_USE)) if tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                Err(Error::Refused(refused)) if self.chunk.shrinks(refused) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn given(
        &self,
        at: usize,
        unit: usize,
        asked: usize,
        answer: &[u8],
    ) -> Result<Vec<u8>, Malformed> {
        let place = || format!("FRU {} at byte {at}", self.unit);
        let (count, given) = answer
            .split_first()
            .ok_or_else(|| Malformed::new("the answer is empty").within(place()))?;
        let said = usize::from(*count) * unit;
        let enough = given.get(..said).ok_or_else(|| {
            let sentence = format!("the BMC says {said} bytes and gives {}", given.len());
            Malformed::new(sentence).within(place())
        })?;
        // An offset by words is even: what is before the byte that was asked for is left out.
        let skip = at % unit;
        let end = enough.len().min(asked);
        Ok(enough.get(skip..end).unwrap_or_default().to_vec())
    }
}
