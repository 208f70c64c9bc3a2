//! OS images on the wire.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use xcat3_core::OsImage;
use xcat3_core::name::check_object_name;
use xcat3_core::node::ARCHITECTURES;

use crate::reader::Reader;
use crate::selection::Fields;

/// The fields of an OS image.
pub const FIELDS: Fields = Fields {
    what: "an osimage",
    known: &[
        "name",
        "distro",
        "ver",
        "arch",
        "profile",
        "provmethod",
        "rootfstype",
        "orig_name",
    ],
    always: "name",
    aliases: &[],
};

/// The fields that a patch may change; the others say what the image is.
pub const CHANGEABLE: [&str; 3] = ["profile", "provmethod", "rootfstype"];

/// An OS image, as it is sent and answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "Value", deny_unknown_fields)]
pub struct OsImageBody {
    /// Unique; `<distro><ver>-<arch>` where absent.
    #[schema(examples("rhels7.3-x86_64"))]
    pub name: Option<String>,
    /// For example `debian`.
    #[schema(examples("rhels"))]
    pub distro: String,
    /// For example `13.0`.
    #[schema(examples("7.3"))]
    pub ver: String,
    /// Of the machines that it runs on.
    #[schema(examples("x86_64"))]
    pub arch: String,
    /// What is installed of it, in the operator's words.
    pub profile: Option<String>,
    /// How it is provisioned.
    pub provmethod: Option<String>,
    /// Kind of root file system, for images that are not installed.
    pub rootfstype: Option<String>,
    /// File name of the medium that it was imported from.
    pub orig_name: Option<String>,
}

impl TryFrom<Value> for OsImageBody {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let mut reader = Reader::of("an osimage", value)?;
        let name = reader.text("name")?;
        let body = Self {
            name,
            distro: reader.needed("distro")?,
            ver: reader.needed("ver")?,
            arch: reader.needed("arch")?,
            profile: reader.text("profile")?,
            provmethod: reader.text("provmethod")?,
            rootfstype: reader.text("rootfstype")?,
            orig_name: reader.text("orig_name")?,
        };
        reader.end()?;
        Ok(body)
    }
}

impl OsImageBody {
    /// The image that this declares. It has no content: only an import gives it one.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn into_osimage(self) -> Result<OsImage, String> {
        for part in [&self.distro, &self.ver] {
            check_object_name(part).map_err(|error| error.to_string())?;
        }
        if !ARCHITECTURES.contains(&self.arch.as_str()) {
            return Err(format!(
                "arch '{}' is not known: use one of {}",
                crate::reader::start(&self.arch),
                ARCHITECTURES.join(", ")
            ));
        }
        let default = OsImage::default_name(&self.distro, &self.ver, &self.arch);
        let name = self.name.unwrap_or(default);
        check_object_name(&name).map_err(|error| error.to_string())?;
        if name == "get_by_id" {
            return Err("'get_by_id' is a path of the API and can't name an osimage".to_owned());
        }
        let mut image = OsImage::new(name, &self.distro, &self.ver, &self.arch);
        image.profile = self.profile;
        image.provmethod = self.provmethod;
        image.rootfstype = self.rootfstype;
        image.orig_name = self.orig_name;
        Ok(image)
    }

    /// What is told of an image.
    #[must_use]
    pub fn of(image: &OsImage) -> Self {
        Self {
            name: Some(image.name.clone()),
            distro: image.distro.clone(),
            ver: image.ver.clone(),
            arch: image.arch.clone(),
            profile: image.profile.clone(),
            provmethod: image.provmethod.clone(),
            rootfstype: image.rootfstype.clone(),
            orig_name: image.orig_name.clone(),
        }
    }

    /// The document of an image.
    #[must_use]
    pub fn document(self) -> Map<String, Value> {
        let mut document = Map::new();
        document.insert("name".into(), self.name.into());
        document.insert("distro".into(), self.distro.into());
        document.insert("ver".into(), self.ver.into());
        document.insert("arch".into(), self.arch.into());
        document.insert("profile".into(), self.profile.into());
        document.insert("provmethod".into(), self.provmethod.into());
        document.insert("rootfstype".into(), self.rootfstype.into());
        document.insert("orig_name".into(), self.orig_name.into());
        document
    }
}

/// The answer of `GET /osimages`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OsImageList {
    /// By name.
    pub images: Vec<OsImageBody>,
}

/// The answer of `POST /osimages`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OsImageOutcome {
    /// `ok` under the image's name.
    pub image: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn image(value: Value) -> Result<OsImage, String> {
        OsImageBody::try_from(value)?.into_osimage()
    }

    #[test]
    fn an_image_without_a_name_gets_the_usual_one() {
        let image = image(json!({"distro": "debian", "ver": 13, "arch": "x86_64"})).unwrap();
        assert_eq!(image.name, "debian13-x86_64");
    }

    #[test]
    fn what_can_be_no_image_is_named() {
        for (body, why) in [
            (
                json!({"distro": "d", "ver": "1", "arch": "vax"}),
                "arch 'vax'",
            ),
            (json!({"ver": "1", "arch": "x86_64"}), "'distro'"),
            (
                json!({"distro": "../d", "ver": "1", "arch": "x86_64"}),
                "'../d'",
            ),
            (
                json!({"name": "get_by_id", "distro": "d", "ver": "1", "arch": "x86_64"}),
                "path",
            ),
        ] {
            let error = image(body).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
