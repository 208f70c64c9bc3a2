//! Discs of Red Hat and its kin: `.treeinfo` (INI) or the older `.discinfo`. They are recognised, so
//! that the sentence is clear; reading them comes with their install driver.

use xcat3_iso::IsoFile;

use super::Finding;
use crate::error::ImportError;

const PATHS: [&str; 2] = [".treeinfo", ".discinfo"];

pub(super) fn probe(iso: &IsoFile) -> Result<Finding, ImportError> {
    Ok(match PATHS.iter().find(|path| iso.lookup(path).is_some()) {
        None => Finding::Other,
        Some(path) => Finding::Unsupported(format!(
            "it is recognised as a disc of the Red Hat family (it has {path}), but installing from \
             such discs is not supported yet"
        )),
    })
}
