//! What is said of an image that was imported.

use indicatif::HumanBytes;
use serde_json::{Value, json};
use xcat3_core::osimage::BootFile;

use crate::import::Imported;

/// One line for people.
#[must_use]
pub fn summary(imported: &Imported) -> String {
    let image = &imported.image;
    let Some(content) = &image.content else {
        return image.name.clone();
    };
    let file = |file: &Option<BootFile>| match file {
        Some(BootFile::Iso(path)) => format!("{path} of the ISO"),
        Some(BootFile::Kept(name)) => name.clone(),
        None => "none".to_owned(),
    };
    format!(
        "{}: {} {} for {}; ISO of {} {}; kernel {}, initrd {}",
        image.name,
        image.distro,
        image.ver,
        image.arch,
        HumanBytes(content.iso_size),
        imported.how.as_str(),
        file(&content.kernel),
        file(&content.initrd),
    )
}

/// The image for programs, in the words of the REST API.
#[must_use]
pub fn json(imported: &Imported) -> Value {
    let image = &imported.image;
    json!({
        "name": image.name,
        "distro": image.distro,
        "ver": image.ver,
        "arch": image.arch,
        "profile": image.profile,
        "provmethod": image.provmethod,
        "rootfstype": image.rootfstype,
        "orig_name": image.orig_name,
    })
}
