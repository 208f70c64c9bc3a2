//! Runs the program on a state directory of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use xcat3_core::OsImage;
use xcat3_store::Store;

/// A place to work in, with a state directory.
pub struct Place {
    pub dir: TempDir,
}

/// What came of a run.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub out: String,
    pub complaint: String,
}

impl Place {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    pub fn images(&self) -> PathBuf {
        self.state().join("images")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xcat3-copycds"));
        command.arg("--state-dir").arg(self.state()).args(arguments);
        command
            .env_remove("RUST_LOG")
            .env_remove("XCAT3_STATE_DIR")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        let output = self.command(arguments).output().unwrap();
        Run {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            complaint: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs and expects success; what was printed.
    pub fn import(&self, arguments: &[&str]) -> String {
        let run = self.run(arguments);
        assert_eq!(run.code, Some(0), "{}", run.complaint);
        run.out.trim_end().to_owned()
    }

    /// Runs and expects a failure that leaves nothing; the sentence.
    pub fn refusal(&self, arguments: &[&str]) -> String {
        let (before, registered) = (self.kept(), self.registered());
        let run = self.run(arguments);
        assert_eq!(
            (run.code, run.out.as_str()),
            (Some(1), ""),
            "{}",
            run.complaint
        );
        assert_eq!(self.kept(), before, "something was left behind");
        assert_eq!(self.registered(), registered, "something was registered");
        let said = run.complaint.lines().last().unwrap_or_default();
        said.strip_prefix("xcat3-copycds: ")
            .expect("a sentence of the program")
            .to_owned()
    }

    /// Names of what is kept.
    pub fn kept(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.images()) else {
            return Vec::new();
        };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name != ".lock").collect();
        names.sort();
        names
    }

    /// What is registered.
    pub fn registered(&self) -> Vec<OsImage> {
        let database = self.state().join("xcat3.db");
        if !database.exists() {
            return Vec::new();
        }
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let store = Store::open(&format!("sqlite:{}", database.display()))
                .await
                .unwrap();
            store.osimages().await.unwrap()
        })
    }
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
