//! The steps of an import in their order: read the disc, find its installer, keep the files, register
//! the image.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use xcat3_core::name::check_object_name;
use xcat3_core::osimage::{BootFile, ImageContent, OsImage};
use xcat3_iso::IsoFile;
use xcat3_store::{Store, StoreError};

use crate::distro::{Release, recognise};
use crate::error::ImportError;
use crate::images_dir::{self, ImagesDir, Unfinished};
use crate::keep::{self, How};
use crate::netboot::{self, Installer, Part};
use crate::progress::Progress;

/// What to import.
#[derive(Clone, Debug)]
pub struct Request {
    /// The ISO.
    pub iso: PathBuf,
    /// The image's name; absent: `<distro><ver>-<arch>`.
    pub name: Option<String>,
    /// Directory or Debian package with the netboot installer; absent: the one on the disc.
    pub netboot: Option<PathBuf>,
    /// Keep the ISO as a hard link, trusting that nobody writes to the original any more.
    pub link: bool,
}

/// What was imported.
#[derive(Debug)]
pub struct Imported {
    /// The image as it is registered.
    pub image: OsImage,
    /// How its ISO is kept.
    pub how: How,
}

/// Imports an operating system: keeps its files in the directory `images` and registers it. Several
/// imports into one directory wait for one another.
///
/// # Errors
/// Says in a sentence what is wrong; then nothing is registered and nothing is kept.
pub async fn import(
    request: &Request,
    images: &Path,
    store: &Store,
    progress: Arc<dyn Progress>,
) -> Result<Imported, ImportError> {
    let disc = {
        let request = request.clone();
        blocking(move || Disc::read(&request)).await?
    };
    if store.osimage(&disc.name).await?.is_some() {
        return Err(ImportError::Exists(disc.name));
    }
    for note in &disc.installer.notes {
        progress.note(&format!("note: {note}"));
    }
    let images = {
        let (images, progress) = (images.to_owned(), Arc::clone(&progress));
        blocking(move || ImagesDir::open(&images, progress.as_ref())).await?
    };
    // Another import of the same disc may have ended while this one waited.
    let registered = store.osimages().await?;
    if registered.iter().any(|image| image.name == disc.name) {
        return Err(ImportError::Exists(disc.name));
    }
    images.clean(&registered)?;
    let mut unfinished = images.begin()?;
    let (iso, kept) = (request.iso.clone(), unfinished.path(&disc.iso_name()));
    let link = request.link;
    let kept = blocking(move || keep::keep(&iso, &kept, link, progress.as_ref())).await?;
    let how = kept.how;
    let image = disc.complete(&mut unfinished, kept)?;
    match store.create_osimage(&image).await {
        Ok(_) => unfinished.registered(),
        Err(StoreError::Conflict(_)) => return Err(ImportError::Exists(image.name)),
        Err(error) => return Err(error.into()),
    }
    Ok(Imported { image, how })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ImportError> + Send + 'static,
) -> Result<T, ImportError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(ImportError::Stopped),
        },
    }
}

/// A disc that can be imported.
struct Disc {
    name: String,
    orig_name: Option<String>,
    release: Release,
    installer: Installer,
}

impl Disc {
    fn read(request: &Request) -> Result<Self, ImportError> {
        let iso = IsoFile::open(&request.iso)?;
        let release = recognise(&iso)?;
        let name = request
            .name
            .clone()
            .unwrap_or_else(|| OsImage::default_name(&release.distro, &release.ver, &release.arch));
        check_object_name(&name)?;
        let installer = netboot::find(&iso, &release, request.netboot.as_deref())?;
        let orig_name = request
            .iso
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        Ok(Self {
            name,
            orig_name,
            release,
            installer,
        })
    }

    fn iso_name(&self) -> String {
        format!("{}.iso", self.name)
    }

    /// Completes the kept files; answers the image to register.
    fn complete(
        self,
        unfinished: &mut Unfinished<'_>,
        kept: keep::Kept,
    ) -> Result<OsImage, ImportError> {
        let mut files = vec![self.iso_name()];
        let mut part = |part, ending: &str| match part {
            Part::OnDisc(path) => Ok::<_, ImportError>(BootFile::Iso(path)),
            Part::Given(bytes) => {
                let name = format!("{}.{ending}", self.name);
                images_dir::write(&unfinished.path(&name), &bytes)?;
                files.push(name.clone());
                Ok(BootFile::Kept(name))
            }
        };
        let kernel = part(self.installer.kernel, "linux")?;
        let initrd = part(self.installer.initrd, "initrd.gz")?;
        unfinished.finish(&files)?;
        let Release {
            distro,
            ver,
            arch,
            codename,
        } = self.release;
        let mut image = OsImage::new(self.name, &distro, &ver, &arch);
        image.provmethod = Some("install".into());
        image.orig_name = self.orig_name;
        image.content = Some(ImageContent {
            iso: files.swap_remove(0),
            iso_size: kept.size,
            iso_sha256: kept.sha256,
            codename: Some(codename),
            kernel: Some(kernel),
            initrd: Some(initrd),
        });
        Ok(image)
    }
}
