//! Reads the directories of an image into its index, level by level, and refuses contradictions:
//! directory loops, data beyond the end, names that are paths.

use std::collections::HashSet;

use crate::date;
use crate::error::{Problem, escape};
use crate::limits::Limits;
use crate::names;
use crate::record::Record;
use crate::source::Source;
use crate::susp::{Attributes, Reader};
use crate::tree::{Dir, Entry, EntryKind, Extent, Extents, File, Span, Symlink, Tree};
use crate::volume::{Naming, SECTOR, Volume};

/// The number of sectors of a directory in one read.
const SECTORS_PER_READ: usize = 16;

/// Reads the whole tree.
pub(crate) fn read(source: &Source, volume: &Volume, limits: &Limits) -> Result<Tree, Problem> {
    let mut walk = Walk {
        source,
        volume,
        limits,
        tree: Tree {
            entries: Vec::new(),
            text: String::new(),
        },
        extents: 0,
        metadata_left: limits.metadata_bytes,
        directory_left: source.len,
        seen: HashSet::new(),
    };
    let kind = walk.directory(volume.root.0, volume.root.1)?;
    walk.tree.entries.push(Entry {
        kind,
        name: Span { start: 0, len: 0 },
        parent: 0,
        depth: 0,
    });
    let mut next = 0;
    while next < walk.tree.entries.len() {
        if let EntryKind::Dir(dir) = &walk.tree.entries[next].kind {
            let records = dir.records;
            walk.read_directory(next, records)
                .map_err(|problem| walk.in_directory(next, problem))?;
        }
        next += 1;
    }
    walk.tree.entries.shrink_to_fit();
    walk.tree.text.shrink_to_fit();
    Ok(walk.tree)
}

struct Walk<'a> {
    source: &'a Source,
    volume: &'a Volume,
    limits: &'a Limits,
    tree: Tree,
    /// The number of extents beyond the first of each file.
    extents: usize,
    metadata_left: u64,
    /// The bytes left for directories: without overlap they are no larger than the file.
    directory_left: u64,
    /// The first blocks of all directories.
    seen: HashSet<u64>,
}

/// A file that continues in further records.
struct PartialFile {
    entry: Entry,
    identifier: Vec<u8>,
    extents: Vec<Extent>,
}

impl Walk<'_> {
    /// Reads the records of the directory at `index` and appends its entries.
    fn read_directory(&mut self, index: usize, (block, size): (u64, u32)) -> Result<(), Problem> {
        let first = self.tree.entries.len();
        let start = block * self.volume.block;
        self.charge_directory(start, size)?;
        let mut partial = None;
        let mut buffer = vec![0; SECTORS_PER_READ * SECTOR];
        let mut done = 0;
        while done < u64::from(size) {
            let len = buffer.len().min((u64::from(size) - done) as usize);
            self.source.read(start + done, &mut buffer[..len])?;
            for sector in buffer[..len].chunks(SECTOR) {
                self.read_sector(sector, index, &mut partial)?;
            }
            done += len as u64;
        }
        if partial.is_some() {
            return Err(Problem::damaged("the last file has no final record"));
        }
        self.sort_directory(index, first);
        Ok(())
    }

    fn read_sector(
        &mut self,
        sector: &[u8],
        parent: usize,
        partial: &mut Option<PartialFile>,
    ) -> Result<(), Problem> {
        let mut rest = sector;
        while rest.first().is_some_and(|&len| len > 0) {
            let record = Record::parse(rest);
            let record = record.ok_or_else(|| Problem::damaged("a malformed record"))?;
            rest = &rest[record.len..];
            if record.is_self() || record.is_parent() || record.is_associated() {
                continue;
            }
            self.read_record(&record, parent, partial)?;
        }
        Ok(())
    }

    fn read_record(
        &mut self,
        record: &Record<'_>,
        parent: usize,
        partial: &mut Option<PartialFile>,
    ) -> Result<(), Problem> {
        let mut file = match partial.take() {
            Some(file) if file.identifier == record.identifier => file,
            Some(_) => {
                return Err(Problem::damaged(
                    "a file of several records has no final record",
                ));
            }
            None => match self.entry(record, parent)? {
                None => return Ok(()),
                Some(entry) => PartialFile {
                    entry,
                    identifier: record.identifier.to_vec(),
                    extents: Vec::new(),
                },
            },
        };
        let EntryKind::File(_) = file.entry.kind else {
            return self.push(file.entry);
        };
        self.add_extent(&mut file, record)?;
        if record.continues() {
            *partial = Some(file);
            return Ok(());
        }
        let PartialFile {
            mut entry, extents, ..
        } = file;
        if let EntryKind::File(file) = &mut entry.kind {
            file.size = extents.iter().map(|extent| extent.len).sum();
            file.extents = match extents[..] {
                [] => Extents::None,
                [extent] => Extents::One(extent),
                _ => Extents::Many(extents.into()),
            };
        }
        self.push(entry)
    }

    /// Adds the extent of a record, merged with the previous extent if they are adjacent.
    fn add_extent(&mut self, file: &mut PartialFile, record: &Record<'_>) -> Result<(), Problem> {
        let extent = Extent {
            offset: record.block * self.volume.block,
            len: u64::from(record.size),
        };
        let name = escape(self.tree.text_at(file.entry.name));
        if extent.len == 0 {
            return Ok(());
        }
        if !self.source.contains(extent.offset, extent.len) {
            let end = extent.offset + extent.len;
            let has = self.source.len;
            let reason = format!("'{name}' ends at byte {end}, but the image has only {has} bytes");
            return Err(Problem::Damaged(reason));
        }
        if record.interleaved {
            return Err(Problem::Unsupported(format!("'{name}' is interleaved")));
        }
        match file.extents.last_mut() {
            Some(last) if last.offset + last.len == extent.offset => last.len += extent.len,
            Some(_) => {
                self.extents += 1;
                file.extents.push(extent);
                self.check_count()?;
            }
            None => file.extents.push(extent),
        }
        Ok(())
    }

    /// The entry of a record; none for entries that are not served.
    fn entry(&mut self, record: &Record<'_>, parent: usize) -> Result<Option<Entry>, Problem> {
        let attributes = self.attributes(record)?;
        if attributes.relocated || attributes.special {
            return Ok(None);
        }
        let name = self.name(record, &attributes)?;
        let kind = if let Some(target) = &attributes.target {
            EntryKind::Symlink(Symlink {
                target: self.target(target)?,
            })
        } else if let Some(child) = attributes.child {
            let block = u64::from(child);
            let size = self.size_of_directory(block)?;
            self.directory(block, size)?
        } else if record.is_directory() {
            self.directory(record.block, record.size)?
        } else if attributes.compressed {
            let reason = format!(
                "'{}' is compressed (zisofs)",
                escape(self.tree.text_at(name))
            );
            return Err(Problem::Unsupported(reason));
        } else {
            EntryKind::File(File {
                size: 0,
                mtime: attributes
                    .modified
                    .unwrap_or_else(|| date::short(record.date)),
                extents: Extents::None,
            })
        };
        let depth = self.tree.entries[parent].depth + 1;
        if depth > self.limits.depth {
            let limit = self.limits.depth;
            return Err(Problem::OverLimit(format!(
                "more than {limit} nested directories"
            )));
        }
        Ok(Some(Entry {
            kind,
            name,
            parent: parent as u32,
            depth,
        }))
    }

    fn attributes(&mut self, record: &Record<'_>) -> Result<Attributes, Problem> {
        if self.volume.naming != Naming::RockRidge {
            return Ok(Attributes::default());
        }
        let area = record.system_use.get(self.volume.skip..).unwrap_or(&[]);
        let left = &mut self.metadata_left;
        let limit = self.limits.metadata_bytes;
        let reader = Reader {
            source: self.source,
            volume: self.volume,
        };
        reader.read(area, &mut |bytes| charge(left, bytes, limit))
    }

    /// The entry of a directory, whose records are read later.
    fn directory(&mut self, block: u64, size: u32) -> Result<EntryKind, Problem> {
        if !self.seen.insert(block) {
            return Err(Problem::damaged(
                "a directory appears twice, or inside itself",
            ));
        }
        Ok(EntryKind::Dir(Dir {
            records: (block, size),
            first: 0,
            count: 0,
        }))
    }

    /// The size of a relocated directory, which only its own first record has.
    fn size_of_directory(&mut self, block: u64) -> Result<u32, Problem> {
        let offset = block * self.volume.block;
        let mut sector = [0; SECTOR];
        if self.source.contains(offset, SECTOR as u64) {
            charge(
                &mut self.metadata_left,
                SECTOR as u64,
                self.limits.metadata_bytes,
            )?;
            self.source.read(offset, &mut sector)?;
        }
        let record =
            Record::parse(&sector).filter(|record| record.is_self() && record.is_directory());
        let record = record.ok_or_else(|| Problem::damaged("a relocated directory is missing"))?;
        Ok(record.size)
    }

    /// Checks and stores the name of a record.
    fn name(&mut self, record: &Record<'_>, attributes: &Attributes) -> Result<Span, Problem> {
        let name = match self.volume.naming {
            Naming::RockRidge if !attributes.name.is_empty() => names::text(&attributes.name),
            Naming::Joliet => names::joliet(record.identifier),
            _ => names::plain(record.identifier),
        };
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
            let reason = format!("'{}' is not a valid file name", escape(&name));
            return Err(Problem::Damaged(reason));
        }
        if name.len() > self.limits.name_bytes {
            let (name, limit) = (escape(&name), self.limits.name_bytes);
            let reason = format!("the name '{name}' has more than {limit} bytes");
            return Err(Problem::OverLimit(reason));
        }
        self.store(&name)
    }

    fn target(&mut self, target: &[u8]) -> Result<Span, Problem> {
        let target = names::text(target);
        if target.is_empty() || target.contains('\0') || target.len() > self.limits.target_bytes {
            let target = escape(&target);
            return Err(Problem::Damaged(format!(
                "a symlink has the target '{target}'"
            )));
        }
        self.store(&target)
    }

    fn store(&mut self, piece: &str) -> Result<Span, Problem> {
        let start = self.tree.text.len();
        let limit = self.limits.text_bytes;
        let over = || Problem::OverLimit(format!("the names have more than {limit} bytes"));
        if start + piece.len() > limit {
            return Err(over());
        }
        let span = Span {
            start: u32::try_from(start).map_err(|_| over())?,
            len: u16::try_from(piece.len()).map_err(|_| over())?,
        };
        self.tree.text.push_str(piece);
        Ok(span)
    }

    fn push(&mut self, entry: Entry) -> Result<(), Problem> {
        self.tree.entries.push(entry);
        self.check_count()
    }

    fn check_count(&self) -> Result<(), Problem> {
        let limit = self.limits.entries;
        if self.tree.entries.len() + self.extents > limit {
            return Err(Problem::OverLimit(format!(
                "there are more than {limit} entries"
            )));
        }
        Ok(())
    }

    fn charge_directory(&mut self, start: u64, size: u32) -> Result<(), Problem> {
        let size = u64::from(size);
        if !self.source.contains(start, size) {
            let (end, has) = (start + size, self.source.len);
            let reason =
                format!("the directory ends at byte {end}, but the image has only {has} bytes");
            return Err(Problem::Damaged(reason));
        }
        if size > self.directory_left {
            return Err(Problem::damaged("the directories overlap"));
        }
        self.directory_left -= size;
        charge(&mut self.metadata_left, size, self.limits.metadata_bytes)
    }

    /// Sorts the new entries of a directory, drops all but the first of each name (further versions of
    /// a file), and records their range in the directory.
    fn sort_directory(&mut self, index: usize, first: usize) {
        let Tree { entries, text } = &mut self.tree;
        let name = |entry: &Entry| {
            let start = entry.name.start as usize;
            &text[start..start + usize::from(entry.name.len)]
        };
        entries[first..].sort_by(|a, b| name(a).cmp(name(b)));
        let mut kept = first;
        for at in first..entries.len() {
            if at == first || name(&entries[at]) != name(&entries[kept - 1]) {
                entries.swap(kept, at);
                kept += 1;
            }
        }
        entries.truncate(kept);
        if let EntryKind::Dir(dir) = &mut entries[index].kind {
            (dir.first, dir.count) = (first as u32, (kept - first) as u32);
        }
    }

    /// Adds the directory to a problem.
    fn in_directory(&self, index: usize, problem: Problem) -> Problem {
        let path = escape(&self.tree.path(&self.tree.entries[index]));
        match problem {
            Problem::Damaged(reason) => Problem::Damaged(format!("in '/{path}': {reason}")),
            Problem::Unsupported(reason) => Problem::Unsupported(format!("in '/{path}': {reason}")),
            Problem::OverLimit(reason) => Problem::OverLimit(format!("in '/{path}': {reason}")),
            other => other,
        }
    }
}

fn charge(left: &mut u64, bytes: u64, limit: u64) -> Result<(), Problem> {
    *left = left.checked_sub(bytes).ok_or_else(|| {
        Problem::OverLimit(format!("the directories have more than {limit} bytes"))
    })?;
    Ok(())
}
