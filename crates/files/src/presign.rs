//! Uploads past this server: somebody is given an address of the store, sends a file there, and says that it is complete.
//! Then it is looked at like any other.

use std::time::Duration;

use serde::Serialize;
use stoa_contracts::files::{FileId, FileView, Visibility};
use stoa_kernel::{Actor, Fields, Flaw, Timestamp, UserId};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    storage::StorageError,
};
use utoipa::ToSchema;

use crate::{
    Files,
    error::FileError,
    file::{File, State, incoming_key},
    keep_files::Wish,
    kinds::Kind,
    names::FileName,
    receive_upload::{Incoming, Taken},
    sign::Purpose,
    spool::SpoolFile,
    store::{files, uploads, usage},
};

/// How long an address to send something to holds.
const LIFETIME: Duration = Duration::from_hours(1);
/// How long completing one may take before somebody else may try.
const TAKEN_FOR: Duration = Duration::from_mins(10);
/// How many somebody may have open at once.
const MOST_OPEN: u32 = 100;

/// An upload that somebody was given an address for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Upload {
    pub(crate) id: FileId,
    pub(crate) owner: UserId,
    pub(crate) name: String,
    pub(crate) content_type: String,
    pub(crate) size: u64,
    pub(crate) visibility: Visibility,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// What somebody says that they will send.
#[derive(Clone, Debug)]
pub(crate) struct Announced {
    name: FileName,
    content_type: String,
    size: u64,
    visibility: Visibility,
}

impl Announced {
    /// Checks what was said: it is a kind that is taken, and no larger than that may be.
    pub(crate) fn parse(
        files: &Files,
        name: &str,
        content_type: &str,
        size: u64,
        visibility: Option<Visibility>,
    ) -> Result<Self, FileError> {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let mut fields = Fields::default();
        let name = fields.take("filename", FileName::parse(name));
        fields.check("size", size > 0, Flaw::new("TOO_SMALL", "A file has at least one byte."));
        let Some(name) = name.filter(|_| fields.is_clean()) else {
            return Err(fields.into_refusal().into());
        };
        let ending = name.ending();
        let fits = |kind: &Kind| {
            kind.may_be_called(&essence) && ending.as_deref().is_none_or(|ending| kind.may_end_in(ending))
        };
        let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(fits).collect();
        if kinds.is_empty() {
            return Err(FileError::Kind);
        }
        let limit = Taken::ONE.limit_of(&kinds, files);
        if size > limit {
            return Err(FileError::TooLarge(limit));
        }
        Ok(Self { name, content_type: essence, size, visibility: visibility.unwrap_or_default() })
    }
}

/// Where to send a file.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PresignedUpload)]
pub(crate) struct UploadView {
    /// What to complete it by, and the id of the file it becomes.
    id: FileId,
    /// How to send it.
    #[schema(example = "PUT")]
    method: &'static str,
    /// Where to.
    url: String,
    /// What to send with it, exactly so.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    headers: std::collections::BTreeMap<String, String>,
    /// Until when.
    expires_at: Timestamp,
}

impl Files {
    /// Gives an address to send a file to: one of the store, or one of ours where the store has none to give.
    pub(crate) async fn presign(
        &self,
        occasion: Occasion,
        owner: UserId,
        announced: Announced,
    ) -> Result<UploadView, FileError> {
        let upload = Upload {
            id: occasion.id(),
            owner,
            name: announced.name.as_str().to_owned(),
            content_type: announced.content_type,
            size: announced.size,
            visibility: announced.visibility,
            created_at: occasion.at,
            expires_at: occasion.at + LIFETIME,
        };
        let quota = self.settings().quota;
        let kept = upload.clone();
        let open = move |tx: &mut Tx<'_>| {
            if uploads::open(tx, owner, MOST_OPEN)? >= MOST_OPEN {
                return Err(FileError::TooManyOpen);
            }
            // What is really kept is counted when it is complete; this only spares sending in vain.
            let used = usage::bytes(tx, owner.into())?;
            match quota.filter(|quota| used.saturating_add(kept.size) > *quota) {
                Some(quota) => Err(FileError::Quota { used, quota }),
                None => Ok(uploads::insert(tx, &kept)?),
            }
        };
        self.database().write(open).await?;
        self.address_of(&upload).await
    }

    async fn address_of(&self, upload: &Upload) -> Result<UploadView, FileError> {
        let key = incoming_key(upload.id)?;
        let signed = self.storage().signed_put(&key, &upload.content_type, upload.size, LIFETIME).await?;
        let (url, headers) = if let Some(request) = signed {
            (request.url, request.headers.into_iter().collect())
        } else {
            let query = self.0.links.sign(Purpose::Send, upload.id, upload.expires_at);
            let headers = [("Content-Type".to_owned(), upload.content_type.clone())];
            (format!("{}/uploads/{}?{query}", self.base(), upload.id), headers.into())
        };
        Ok(UploadView { id: upload.id, method: "PUT", url, headers, expires_at: upload.expires_at })
    }

    /// Takes what is sent to one of our own addresses: exactly as many bytes as were announced.
    pub(crate) async fn accept(&self, id: FileId, mut incoming: Incoming) -> Result<(), FileError> {
        let accepted = self.take_sent(id, &mut incoming).await;
        incoming.end(accepted).await
    }

    async fn take_sent(&self, id: FileId, incoming: &mut Incoming) -> Result<(), FileError> {
        let now = self.0.platform.clock.now();
        let found = self.database().get(move |c| uploads::find(c, id, now)).await?;
        let upload = found.ok_or(FileError::UnknownUpload)?;
        let essence = incoming.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if essence != upload.content_type {
            return Err(FileError::Header);
        }
        if incoming.length.is_some_and(|length| length != upload.size) {
            return Err(FileError::OtherSize);
        }
        let spool = self.receive_bare(incoming, upload.size).await?;
        if spool.size != upload.size {
            return Err(FileError::OtherSize);
        }
        Ok(self.storage().put_file(&incoming_key(id)?, spool.path(), &upload.content_type).await?)
    }

    /// Makes a file of what was sent. Again answers the same file.
    pub(crate) async fn complete(
        &self,
        occasion: Occasion,
        actor: Actor,
        owner: UserId,
        id: FileId,
    ) -> Result<FileView, FileError> {
        if let Some(file) = self.completed(owner, id).await? {
            return Ok(file.view(self.base()));
        }
        let now = occasion.at;
        let take = move |tx: &mut Tx<'_>| {
            let upload = uploads::find(tx, id, now)?.filter(|upload| upload.owner == owner);
            let Some(upload) = upload else { return Ok(None) };
            // A try before this one may be on its way in still, or on its way out; its id is taken meanwhile.
            let is_on_its_way = files::find(tx, id)?.is_some_and(|file| file.state != State::Ready);
            if is_on_its_way || !uploads::take(tx, id, now, now + TAKEN_FOR)? {
                return Err(FileError::BeingCompleted);
            }
            Ok(Some(upload))
        };
        let upload = self.database().write(take).await?;
        // Somebody else may have completed it since it was looked for.
        if let Some(file) = self.completed(owner, id).await? {
            if upload.is_some() {
                self.put_down(id, true).await?;
            }
            return Ok(file.view(self.base()));
        }
        let upload = upload.ok_or(FileError::UnknownUpload)?;
        let completed = self.keep_sent(occasion, actor, upload).await;
        let gone = match &completed {
            // Nothing was sent yet, or the house is not well: it can be tried again.
            Err(
                FileError::NotSent
                | FileError::Storage(_)
                | FileError::Database(_)
                | FileError::Busy
                | FileError::Pool(_)
                | FileError::Scan(_)
                | FileError::Disk(_)
                | FileError::DiskFull(_),
            ) => false,
            _ => true,
        };
        self.put_down(id, gone).await?;
        completed
    }

    async fn completed(&self, owner: UserId, id: FileId) -> Result<Option<File>, DatabaseError> {
        let found = self.database().get(move |c| files::find(c, id)).await?;
        Ok(found.filter(|file| file.state == State::Ready && file.owner == owner.into()))
    }

    async fn keep_sent(
        &self,
        occasion: Occasion,
        actor: Actor,
        upload: Upload,
    ) -> Result<FileView, FileError> {
        let spool = self.fetch_sent(&upload).await?;
        let name = FileName::parse(&upload.name).map_err(|flaw| FileError::Field("filename", flaw))?;
        let arrival = self.check(spool, name, Some(&upload.content_type), Taken::ONE).await?;
        let wish = Wish {
            id: Some(upload.id),
            visibility: Some(upload.visibility),
            ..Wish::of(&actor, upload.owner.into())
        };
        let kept = self.keep(occasion, vec![arrival], wish).await?;
        kept.files.into_iter().next().ok_or(FileError::Unknown)
    }

    /// What lies in the store for an upload.
    async fn fetch_sent(&self, upload: &Upload) -> Result<SpoolFile, FileError> {
        let (key, storage, size) = (incoming_key(upload.id)?, self.storage().clone(), upload.size);
        let fetch = |path: std::path::PathBuf| async move {
            match storage.read_to_file(&key, &path, size).await {
                Ok(Some(_)) => Ok(()),
                Ok(None) => Err(FileError::NotSent),
                Err(StorageError::TooLarge(_)) => Err(FileError::OtherSize),
                Err(error) => Err(error.into()),
            }
        };
        let spool = self.spool().filled(fetch).await?;
        if spool.size == size { Ok(spool) } else { Err(FileError::OtherSize) }
    }

    /// Ends an upload, or leaves it to be tried again.
    async fn put_down(&self, id: FileId, gone: bool) -> Result<(), FileError> {
        if gone {
            self.storage().delete(&incoming_key(id)?).await?;
        }
        let work = move |tx: &mut Tx<'_>| {
            if gone { uploads::delete(tx, id) } else { uploads::give_back(tx, id) }
        };
        Ok(self.database().write(work).await?)
    }
}
