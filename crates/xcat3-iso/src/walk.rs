//! Reads the directories of an image into its index, level by level, and refuses what can't be:
//! directories that lead back to themselves, data beyond the end, names that would be paths.

use std::collections::HashSet;

use crate::date;
use crate::error::{Problem, shown};
use crate::limits::Limits;
use crate::names;
use crate::record::Record;
use crate::source::Source;
use crate::susp::{Attributes, Reader};
use crate::tree::{Dir, Entry, Extent, Extents, File, Kind, Span, Symlink, Tree};
use crate::volume::{Naming, SECTOR, Volume};

/// Sectors of a directory read at once.
const SECTORS_AT_ONCE: usize = 16;

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
        if let Kind::Dir(dir) = &walk.tree.entries[next].kind {
            let records = dir.records;
            walk.fill(next, records)
                .map_err(|problem| walk.inside(next, problem))?;
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
    /// Extents held beside the first of each file.
    extents: usize,
    metadata_left: u64,
    /// Directories that don't overlap are no larger than the file.
    directory_left: u64,
    /// First blocks of the directories.
    seen: HashSet<u64>,
}

/// A file that further records continue.
struct Unfinished {
    entry: Entry,
    identifier: Vec<u8>,
    extents: Vec<Extent>,
}

impl Walk<'_> {
    /// Reads the records of the directory at `position` and appends its entries.
    fn fill(&mut self, position: usize, (block, size): (u64, u32)) -> Result<(), Problem> {
        let first = self.tree.entries.len();
        let start = block * self.volume.block;
        self.charge_directory(start, size)?;
        let mut unfinished = None;
        let mut buffer = vec![0; SECTORS_AT_ONCE * SECTOR];
        let mut done = 0;
        while done < u64::from(size) {
            let len = buffer.len().min((u64::from(size) - done) as usize);
            self.source.read(start + done, &mut buffer[..len])?;
            for sector in buffer[..len].chunks(SECTOR) {
                self.take_sector(sector, position, &mut unfinished)?;
            }
            done += len as u64;
        }
        if unfinished.is_some() {
            return Err(Problem::damaged("its last file does not end"));
        }
        self.finish(position, first);
        Ok(())
    }

    fn take_sector(
        &mut self,
        sector: &[u8],
        parent: usize,
        unfinished: &mut Option<Unfinished>,
    ) -> Result<(), Problem> {
        let mut rest = sector;
        while rest.first().is_some_and(|&len| len > 0) {
            let record = Record::parse(rest);
            let record = record.ok_or_else(|| Problem::damaged("a malformed record"))?;
            rest = &rest[record.len..];
            if record.is_self() || record.is_parent() || record.is_associated() {
                continue;
            }
            self.take_record(&record, parent, unfinished)?;
        }
        Ok(())
    }

    fn take_record(
        &mut self,
        record: &Record<'_>,
        parent: usize,
        unfinished: &mut Option<Unfinished>,
    ) -> Result<(), Problem> {
        let mut file = match unfinished.take() {
            Some(file) if file.identifier == record.identifier => file,
            Some(_) => return Err(Problem::damaged("a file of several records lacks its last")),
            None => match self.entry(record, parent)? {
                None => return Ok(()),
                Some(entry) => Unfinished {
                    entry,
                    identifier: record.identifier.to_vec(),
                    extents: Vec::new(),
                },
            },
        };
        let Kind::File(_) = file.entry.kind else {
            return self.push(file.entry);
        };
        self.add_extent(&mut file, record)?;
        if record.continues() {
            *unfinished = Some(file);
            return Ok(());
        }
        let Unfinished {
            mut entry, extents, ..
        } = file;
        if let Kind::File(file) = &mut entry.kind {
            file.size = extents.iter().map(|extent| extent.len).sum();
            file.extents = match extents[..] {
                [] => Extents::None,
                [extent] => Extents::One(extent),
                _ => Extents::Many(extents.into()),
            };
        }
        self.push(entry)
    }

    /// Adds the run of bytes that a record names, joined with the one before where they touch.
    fn add_extent(&mut self, file: &mut Unfinished, record: &Record<'_>) -> Result<(), Problem> {
        let extent = Extent {
            offset: record.block * self.volume.block,
            len: u64::from(record.size),
        };
        let name = shown(self.tree.piece(file.entry.name));
        if extent.len == 0 {
            return Ok(());
        }
        if !self.source.holds(extent.offset, extent.len) {
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

    /// The entry that a record describes; `None`: it is not shown.
    fn entry(&mut self, record: &Record<'_>, parent: usize) -> Result<Option<Entry>, Problem> {
        let attributes = self.attributes(record)?;
        if attributes.relocated || attributes.special {
            return Ok(None);
        }
        let name = self.name(record, &attributes)?;
        let kind = if let Some(target) = &attributes.target {
            Kind::Symlink(Symlink {
                target: self.target(target)?,
            })
        } else if let Some(child) = attributes.child {
            let block = u64::from(child);
            let size = self.size_of_directory(block)?;
            self.directory(block, size)?
        } else if record.is_directory() {
            self.directory(record.block, record.size)?
        } else if attributes.compressed {
            let reason = format!("'{}' is compressed (zisofs)", shown(self.tree.piece(name)));
            return Err(Problem::Unsupported(reason));
        } else {
            Kind::File(File {
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
                "more than {limit} directories inside one another"
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

    /// A directory's entry. Its records are read later, once.
    fn directory(&mut self, block: u64, size: u32) -> Result<Kind, Problem> {
        if !self.seen.insert(block) {
            return Err(Problem::damaged(
                "a directory is in it twice, or inside of itself",
            ));
        }
        Ok(Kind::Dir(Dir {
            records: (block, size),
            first: 0,
            count: 0,
        }))
    }

    /// The size of a relocated directory stands in its own first record only.
    fn size_of_directory(&mut self, block: u64) -> Result<u32, Problem> {
        let offset = block * self.volume.block;
        let mut sector = [0; SECTOR];
        if self.source.holds(offset, SECTOR as u64) {
            charge(
                &mut self.metadata_left,
                SECTOR as u64,
                self.limits.metadata_bytes,
            )?;
            self.source.read(offset, &mut sector)?;
        }
        let record =
            Record::parse(&sector).filter(|record| record.is_self() && record.is_directory());
        let record =
            record.ok_or_else(|| Problem::damaged("a relocated directory is not there"))?;
        Ok(record.size)
    }

    /// Checks and keeps the name of a record.
    fn name(&mut self, record: &Record<'_>, attributes: &Attributes) -> Result<Span, Problem> {
        let name = match self.volume.naming {
            Naming::RockRidge if !attributes.name.is_empty() => names::text(&attributes.name),
            Naming::Joliet => names::joliet(record.identifier),
            _ => names::plain(record.identifier),
        };
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
            let reason = format!("the name '{}' can't be a file's", shown(&name));
            return Err(Problem::Damaged(reason));
        }
        if name.len() > self.limits.name_bytes {
            let (name, limit) = (shown(&name), self.limits.name_bytes);
            let reason = format!("the name '{name}' has more than {limit} bytes");
            return Err(Problem::OverLimit(reason));
        }
        self.keep(&name)
    }

    fn target(&mut self, target: &[u8]) -> Result<Span, Problem> {
        let target = names::text(target);
        if target.is_empty() || target.contains('\0') || target.len() > self.limits.target_bytes {
            let target = shown(&target);
            return Err(Problem::Damaged(format!("a symlink leads to '{target}'")));
        }
        self.keep(&target)
    }

    fn keep(&mut self, piece: &str) -> Result<Span, Problem> {
        let start = self.tree.text.len();
        let limit = self.limits.text_bytes;
        let over = || Problem::OverLimit(format!("its names have more than {limit} bytes"));
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
                "it has more than {limit} entries"
            )));
        }
        Ok(())
    }

    fn charge_directory(&mut self, start: u64, size: u32) -> Result<(), Problem> {
        let size = u64::from(size);
        if !self.source.holds(start, size) {
            let (end, has) = (start + size, self.source.len);
            let reason = format!("it ends at byte {end}, but the image has only {has} bytes");
            return Err(Problem::Damaged(reason));
        }
        if size > self.directory_left {
            return Err(Problem::damaged("the directories overlap"));
        }
        self.directory_left -= size;
        charge(&mut self.metadata_left, size, self.limits.metadata_bytes)
    }

    /// Sorts the entries that a directory has got, drops all but the first of a name (further
    /// versions of a file), and tells the directory where they are.
    fn finish(&mut self, position: usize, first: usize) {
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
        if let Kind::Dir(dir) = &mut entries[position].kind {
            (dir.first, dir.count) = (first as u32, (kept - first) as u32);
        }
    }

    /// Says in which directory a problem is.
    fn inside(&self, position: usize, problem: Problem) -> Problem {
        let place = shown(&self.tree.path(&self.tree.entries[position]));
        match problem {
            Problem::Damaged(reason) => Problem::Damaged(format!("in '/{place}': {reason}")),
            Problem::Unsupported(reason) => {
                Problem::Unsupported(format!("in '/{place}': {reason}"))
            }
            Problem::OverLimit(reason) => Problem::OverLimit(format!("in '/{place}': {reason}")),
            other => other,
        }
    }
}

fn charge(left: &mut u64, bytes: u64, limit: u64) -> Result<(), Problem> {
    *left = left.checked_sub(bytes).ok_or_else(|| {
        Problem::OverLimit(format!("its directories have more than {limit} bytes"))
    })?;
    Ok(())
}
