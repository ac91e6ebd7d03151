//! What other domains ask of files: rows alone, without what receives and serves them, so that chat can ask files and
//! files chat.

use std::collections::HashMap;

use stoa_contracts::{
    chat::MessageId,
    files::{Carried, FileId, FileView, Files, OwnedFile},
};
use stoa_platform::{
    Occasion,
    database::{Connection, DatabaseError, Tx},
};

use crate::{
    delete_file::delete,
    file::{File, State},
    store::{files, messages},
};

/// The rows of files, as others see them.
#[derive(Clone, Debug)]
pub struct Shelf {
    base: String,
}

impl Shelf {
    /// Links begin with the address people reach the server by; they are relative without one.
    pub fn new(public_url: Option<&str>) -> Self {
        Self { base: public_url.unwrap_or_default().to_owned() }
    }

    fn owned(&self, files: Vec<File>) -> Vec<OwnedFile> {
        files.into_iter().map(|file| file.owned(&self.base)).collect()
    }
}

impl Files for Shelf {
    fn files(&self, c: &mut Connection<'_>, ids: &[FileId]) -> Result<Vec<OwnedFile>, DatabaseError> {
        files::ready(c, ids).map(|found| self.owned(found))
    }

    fn hold(&self, tx: &mut Tx<'_>, ids: &[FileId]) -> Result<Vec<OwnedFile>, DatabaseError> {
        files::hold(tx, ids).map(|found| self.owned(found))
    }

    fn of_messages(
        &self,
        c: &mut Connection<'_>,
        messages: &[MessageId],
    ) -> Result<HashMap<MessageId, Vec<FileView>>, DatabaseError> {
        let view = |files: Vec<File>| files.iter().map(|file| file.view(&self.base)).collect();
        let found = messages::files_of(c, messages)?;
        Ok(found.into_iter().map(|(message, files)| (message, view(files))).collect())
    }

    fn carry(&self, tx: &mut Tx<'_>, carried: &[Carried]) -> Result<(), DatabaseError> {
        messages::insert(tx, carried)
    }

    fn let_go(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        messages: &[MessageId],
    ) -> Result<(), DatabaseError> {
        for message in messages {
            // In one order, so that two who let go of the same files do not wait for each other.
            let mut ids = messages::let_go(tx, *message)?;
            ids.sort_unstable_by_key(|id| id.uuid());
            for id in ids {
                let file = files::lock(tx, id)?.filter(|file| file.state == State::Ready);
                let Some(file) = file else { continue };
                if file.room.is_some() && !messages::is_carried(tx, id)? {
                    delete(tx, occasion, &file)?;
                }
            }
        }
        Ok(())
    }
}
