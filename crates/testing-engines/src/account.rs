//! The account that the servers run under.

use std::{
    os::unix::{fs::chown, process::CommandExt},
    path::Path,
    process::Command,
};

use crate::failure::{Failure, Result};

/// Root starts the servers under another account, since PostgreSQL refuses to be root; anybody else under their own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Account {
    Own,
    Other { uid: u32, gid: u32 },
}

impl Account {
    pub(crate) fn choose() -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Own);
        }
        ["postgres", "nobody"].into_iter().find_map(Self::named).ok_or(Failure::NoAccount)
    }

    /// By `id`, which also knows the accounts that are not in /etc/passwd.
    fn named(name: &str) -> Option<Self> {
        let number = |option: &str| -> Option<u32> {
            let output = Command::new("id").args([option, name]).output().ok()?;
            output.status.success().then_some(())?;
            String::from_utf8(output.stdout).ok()?.trim().parse().ok()
        };
        Some(Self::Other { uid: number("-u")?, gid: number("-g")? })
    }

    pub(crate) fn give(self, folder: &Path) -> Result<()> {
        match self {
            Self::Own => Ok(()),
            Self::Other { uid, gid } => {
                chown(folder, Some(uid), Some(gid)).map_err(Failure::io("giving the folder to the servers"))
            }
        }
    }

    pub(crate) fn run(self, command: &mut Command) {
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
    }
}
