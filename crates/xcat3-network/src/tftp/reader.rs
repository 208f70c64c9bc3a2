//! Reads the blocks of a transfer, with read-ahead: a file is not read in pieces as small as a block.

use std::io;

use crate::content::Content;

/// Bytes read by one call.
const READ_AHEAD: usize = 64 * 1024;

/// Reads content, mostly sequentially.
#[derive(Debug)]
pub struct Reader {
    content: Content,
    ahead: Vec<u8>,
    start: u64,
}

impl Reader {
    /// A reader of `content`.
    pub fn new(content: Content) -> Self {
        Self {
            content,
            ahead: Vec::new(),
            start: 0,
        }
    }

    /// Appends the `len` bytes from `offset` on to `packet`.
    pub fn append(&mut self, offset: u64, len: usize, packet: &mut Vec<u8>) -> io::Result<()> {
        if let Content::Memory(bytes) = &self.content {
            let start = offset as usize;
            let part = bytes.get(start..start + len);
            packet.extend_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
            return Ok(());
        }
        let end = offset + len as u64;
        if offset < self.start || end > self.start + self.ahead.len() as u64 {
            self.fill(offset, len)?;
        }
        let at = (offset - self.start) as usize;
        let part = self.ahead.get(at..at + len);
        packet.extend_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn fill(&mut self, offset: u64, len: usize) -> io::Result<()> {
        self.ahead.resize(READ_AHEAD.max(len), 0);
        self.start = offset;
        match self.content.read_at(offset, &mut self.ahead) {
            Ok(filled) => {
                self.ahead.truncate(filled);
                Ok(())
            }
            Err(error) => {
                self.ahead.clear();
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn blocks_in_any_order_are_read() {
        let bytes: Vec<u8> = (0..300_000u32).map(|byte| (byte / 7) as u8).collect();
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(&bytes).expect("written");
        let content = Content::file(Arc::new(file)).expect("its length");
        for content in [content, Content::from(bytes.clone())] {
            let mut reader = Reader::new(content);
            for (offset, len) in [
                (0, 1468),
                (1468, 1468),
                (65_000, 1468),
                (200_000, 65_464),
                (10, 1),
                (299_999, 1),
                (300_000, 0),
            ] {
                let mut packet = vec![1];
                reader
                    .append(offset as u64, len, &mut packet)
                    .expect("read");
                assert_eq!(packet[1..], bytes[offset..offset + len]);
            }
            assert!(reader.append(299_999, 2, &mut Vec::new()).is_err());
        }
    }
}
