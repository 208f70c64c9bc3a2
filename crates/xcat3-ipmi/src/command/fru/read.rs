//! Reading an inventory from its memory (IPMI v2.0, 34.1 and 34.2). Memories of 64 KiB are common and mostly
//! empty, so only the areas are read.

use std::ops::Range;
use std::time::Duration;

use super::{Fru, HEADER, Header, UNIT};
use crate::client::Error;
use crate::command::chunk::Chunk;
use crate::command::{Malformed, truncated};
use crate::message::{Command, Completion};
use crate::requester::Requester;
use crate::wire::Reader;

/// Get FRU Inventory Area Info.
const INFO: Command = Command::new(0x0a, 0x10);
/// Read FRU Data.
const READ: Command = Command::new(0x0a, 0x11);
/// Completion code: the memory is in use.
const IN_USE: Completion = Completion(0x81);
/// Completion code: a field of the request is out of range.
const OUT_OF_RANGE: Completion = Completion(0xcc);
/// How often a read of a memory in use is repeated.
const MAX_RETRIES: u32 = 5;
/// Time between these reads.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Size and addressing of a memory.
#[derive(Clone, Copy)]
struct MemoryInfo {
    /// Size in bytes.
    size: usize,
    /// Offsets and counts are in units of this many bytes: 1 or 2.
    unit: usize,
}

impl MemoryInfo {
    /// Parses a response of Get FRU Inventory Area Info.
    fn parse(response: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(response);
        let truncated = truncated("the inventory area info");
        let size = reader.u16().map_err(&truncated)?.into();
        let by_words = reader.u8().map_err(&truncated)? & 1 != 0;
        let unit = if by_words { 2 } else { 1 };
        Ok(Self { size, unit })
    }
}

/// Reads the inventory of unit `id` (0: the machine itself); `None` if there is no such unit.
///
/// # Errors
/// The BMC refuses, there is no response, or the inventory has no valid header.
pub async fn read(bmc: &mut impl Requester, id: u8) -> Result<Option<Fru>, Error> {
    let info = match bmc.request(INFO, &[id]).await {
        Ok(response) => MemoryInfo::parse(&response)?,
        // Quirk: for `ipmi_sim` the number of an absent unit is out of range.
        Err(Error::Refused(Completion::NOT_PRESENT | OUT_OF_RANGE)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut memory = Memory {
        bmc,
        id,
        info,
        image: Vec::new(),
        known: Vec::new(),
        chunk: Chunk::new(&[128, 64, 32, 16, 8]),
    };
    match memory.read_areas().await {
        Ok(()) => {}
        // Quirk: the memory of a power supply that is not plugged in has a size and cannot be read.
        Err(Error::Refused(Completion::NOT_PRESENT)) if memory.known.is_empty() => return Ok(None),
        Err(error) => return Err(error),
    }
    let fru = Fru::parse(&memory.image).map_err(|problem| problem.within(format!("FRU {id}")))?;
    Ok(Some(fru))
}

/// A memory of which some parts are known.
struct Memory<'a, B> {
    bmc: &'a mut B,
    id: u8,
    info: MemoryInfo,
    /// The bytes up to the end of the last known part; unknown bytes are zero.
    image: Vec<u8>,
    /// The known parts.
    known: Vec<Range<usize>>,
    chunk: Chunk,
}

impl<B: Requester> Memory<'_, B> {
    /// Reads the header and the areas.
    async fn read_areas(&mut self) -> Result<(), Error> {
        self.fetch(0..HEADER).await?;
        let Ok(header) = Header::parse(&self.image) else {
            return Ok(());
        };
        for offset in [header.chassis, header.board, header.product] {
            if offset != 0 && offset < self.info.size {
                self.fetch(offset..offset + 2).await?;
                let units = self.image.get(offset + 1).copied().unwrap_or_default();
                let length = usize::from(units) * UNIT;
                self.fetch(offset..offset + length).await?;
            }
        }
        Ok(())
    }

    /// Reads the unknown bytes of a range, up to the end of the memory.
    async fn fetch(&mut self, range: Range<usize>) -> Result<(), Error> {
        let end = range.end.min(self.info.size);
        let mut offset = range.start;
        while offset < end {
            if let Some(known) = self.known.iter().find(|known| known.contains(&offset)) {
                offset = known.end;
                continue;
            }
            let part = self.read_part(offset, end - offset).await?;
            if part.is_empty() {
                break;
            }
            let part_end = offset + part.len();
            self.image.resize(self.image.len().max(part_end), 0);
            self.image[offset..part_end].copy_from_slice(&part);
            match self.known.last_mut().filter(|last| last.end == offset) {
                Some(last) => last.end = part_end,
                None => self.known.push(offset..part_end),
            }
            offset = part_end;
        }
        Ok(())
    }

    /// Reads bytes from `offset` on: at most `wanted` rounded up to a unit.
    async fn read_part(&mut self, offset: usize, wanted: usize) -> Result<Vec<u8>, Error> {
        let unit = self.info.unit;
        let mut retries = 0;
        loop {
            let length = wanted.min(self.chunk.size().into()).next_multiple_of(unit);
            let address = u16::try_from(offset / unit).unwrap_or(u16::MAX);
            let [low, high] = address.to_le_bytes();
            let count = u8::try_from(length / unit).unwrap_or(u8::MAX);
            match self.bmc.request(READ, &[self.id, low, high, count]).await {
                Ok(response) => return Ok(self.parse_part(offset, length, &response)?),
                Err(Error::Refused(IN_USE)) if retries < MAX_RETRIES => {
                    retries += 1;
                    tokio::time::sleep(RETRY_INTERVAL).await;
                }
                Err(Error::Refused(refused)) if self.chunk.shrink(refused) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The bytes from `offset` on in a response of Read FRU Data to a request for `length` bytes.
    fn parse_part(
        &self,
        offset: usize,
        length: usize,
        response: &[u8],
    ) -> Result<Vec<u8>, Malformed> {
        let within = |problem: Malformed| {
            let part = format!("FRU {} at byte {offset}", self.id);
            problem.within(part)
        };
        let (count, data) = response
            .split_first()
            .ok_or_else(|| within("the response is empty".into()))?;
        let counted = usize::from(*count) * self.info.unit;
        let data = data.get(..counted).ok_or_else(|| {
            let available = data.len();
            let sentence = format!("the count is {counted} bytes, but {available} follow");
            within(Malformed::new(sentence))
        })?;
        // With units of two bytes, the response starts one byte before an odd offset.
        let skipped = offset % self.info.unit;
        let end = data.len().min(length);
        Ok(data.get(skipped..end).unwrap_or_default().to_vec())
    }
}
