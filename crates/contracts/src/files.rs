//! What files publish, what may be asked of them, and what they ask of others: chat posts the messages that carry them.

use std::{collections::HashMap, error::Error, future::Future, pin::Pin};

use bytes::Bytes;
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use stoa_kernel::{Actor, Id, Refusal, Timestamp, UserId};
use stoa_platform::{
    Occasion,
    database::{Connection, DatabaseError, Tx},
    events::Event,
};
use utoipa::ToSchema;

use crate::chat::{MessageId, MessageView, RoomId, topic};

/// Marker of file ids.
pub enum File {}
/// The id of a file.
pub type FileId = Id<File>;

/// Who may read the content of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Whoever knows its address.
    #[default]
    Public,
    /// Its owner, whoever may read a room in which it was shown, and whoever has a signed address.
    Private,
}

impl Visibility {
    /// Its name outside.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
        }
    }

    /// The visibility of this name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Public, Self::Private].into_iter().find(|one| one.as_str() == text)
    }
}

/// A file as everybody sees it who may. Size, type and checksum are those of what is served.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = File)]
pub struct FileView {
    /// Its id.
    pub id: FileId,
    /// What it is called in addresses: its id and an ending.
    pub filename: String,
    /// What whoever sent it called it.
    pub original_name: String,
    /// Where its content is.
    pub url: String,
    /// Where a small picture of it is, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub thumbnail_url: Option<String>,
    /// How many bytes it has.
    #[schema(minimum = 0)]
    pub size: u64,
    /// What it is, as a media type.
    pub content_type: String,
    /// How wide a picture is, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub width: Option<u32>,
    /// How high a picture is, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub height: Option<u32>,
    /// The SHA-256 of its content, in hexadecimal digits.
    pub checksum: String,
    /// Who may read it.
    pub visibility: Visibility,
    /// When it began to be kept.
    pub created_at: Timestamp,
    /// When it was there whole.
    pub uploaded_at: Timestamp,
}

impl FileView {
    /// Whether it is a picture.
    pub fn is_picture(&self) -> bool {
        self.content_type.starts_with("image/")
    }
}

/// A file and whose it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnedFile {
    /// Whose; nobody's when a guest sent it.
    pub owner: Option<UserId>,
    /// The file.
    pub file: FileView,
}

/// The files that a message carries, in their order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Carried {
    /// The message.
    pub message: MessageId,
    /// Its room.
    pub room: RoomId,
    /// The files.
    pub files: Vec<FileId>,
}

/// Questions to files, and what belongs into the transactions of those who use them. A message's row is locked before
/// those of the files it carries.
pub trait Files: Send + Sync {
    /// Those of `ids` that are there whole, in any order.
    fn files(&self, connection: &mut Connection<'_>, ids: &[FileId])
    -> Result<Vec<OwnedFile>, DatabaseError>;

    /// The same, which are not deleted before the transaction ends.
    fn hold(&self, tx: &mut Tx<'_>, ids: &[FileId]) -> Result<Vec<OwnedFile>, DatabaseError>;

    /// What these messages carry, of those that carry anything.
    fn of_messages(
        &self,
        connection: &mut Connection<'_>,
        messages: &[MessageId],
    ) -> Result<HashMap<MessageId, Vec<FileView>>, DatabaseError>;

    /// Notes what messages carry: whoever may read their room may read these files from now on. They were held.
    fn carry(&self, tx: &mut Tx<'_>, carried: &[Carried]) -> Result<(), DatabaseError>;

    /// Forgets what messages carried that are gone. What was sent for one of them, and nothing else shows, is deleted.
    fn let_go(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        messages: &[MessageId],
    ) -> Result<(), DatabaseError>;
}

/// A room that files are sent to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileRoom {
    /// Its id.
    pub id: RoomId,
    /// Whether only its members know of it.
    pub private: bool,
}

/// A message that is to carry files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FilePost {
    /// The room.
    pub room: RoomId,
    /// The files; they belong to whoever posts them.
    pub files: Vec<FileId>,
    /// What is said beside them.
    pub content: String,
    /// What the sender knows the message by.
    pub client_id: Option<String>,
}

/// What files ask of chat.
pub trait FileMessages: Send + Sync {
    /// The room of this id or slug, when `actor` may write there.
    fn writable(
        &self,
        connection: &mut Connection<'_>,
        actor: &Actor,
        room: &str,
        at: Timestamp,
    ) -> Result<FileRoom, Refusal>;

    /// The room of this id or slug, when `actor` may read it.
    fn readable(&self, connection: &mut Connection<'_>, actor: &Actor, room: &str)
    -> Result<RoomId, Refusal>;

    /// Whether `actor` may read one of these rooms.
    fn may_read_any(
        &self,
        connection: &mut Connection<'_>,
        actor: &Actor,
        rooms: &[RoomId],
    ) -> Result<bool, DatabaseError>;

    /// Posts a message of type file. Refused as any other message would be; the transaction must then fail too.
    fn post(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        actor: &Actor,
        post: &FilePost,
    ) -> Result<MessageView, Refusal>;

    /// Deletes a message as `actor`, which lets go of what it carries.
    fn take_back(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        actor: &Actor,
        message: MessageId,
    ) -> Result<(), Refusal>;
}

/// The bytes of a body, as they come.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, Box<dyn Error + Send + Sync>>> + Send>>;

/// A multipart body on its way.
pub struct PictureUpload {
    /// When and by whom.
    pub occasion: Occasion,
    /// Whose the picture will be.
    pub owner: UserId,
    /// The `Content-Type` it came with.
    pub content_type: String,
    /// The `Content-Length` it came with.
    pub content_length: Option<u64>,
    /// Whether its sender waits to be told to send it.
    pub waits: bool,
    /// Its bytes.
    pub body: ByteStream,
}

/// What is done with a picture in the transaction that makes it one.
pub type WithPicture = Box<dyn Fn(&mut Tx<'_>, &FileView) -> Result<(), Refusal> + Send + Sync>;

/// A picture on its way into the house.
pub type Receiving<'a> = Pin<Box<dyn Future<Output = Result<FileView, Refusal>> + Send + 'a>>;

/// Takes pictures in for others.
pub trait Pictures: Send + Sync {
    /// Receives the one picture of a body, makes it a square and keeps it in public; `then` is done in the transaction
    /// from which on it is there.
    fn receive_square(&self, upload: PictureUpload, then: WithPicture) -> Receiving<'_>;

    /// Deletes a picture that is shown no more, if it is `owner`'s and lies at this address.
    fn discard(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        owner: UserId,
        url: &str,
    ) -> Result<(), DatabaseError>;
}

macro_rules! file_event {
    ($(#[$doc:meta])* $name:ident = $kind:literal { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// The file.
            pub file_id: FileId,
            /// Whose it is; nobody's when a guest sent it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub user_id: Option<UserId>,
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Event for $name {
            const TYPE: &'static str = $kind;

            fn topic(&self) -> String {
                format!("file:{}", self.file_id)
            }

            fn aggregate(&self) -> String {
                format!("file:{}", self.file_id)
            }
        }
    };
}

file_event! {
    /// A file is there.
    FileUploaded = "file.uploaded" {
        /// What it is called in addresses.
        filename: String,
        /// What it is.
        content_type: String,
        /// How many bytes it has.
        size: u64,
        /// Their SHA-256.
        checksum: String,
    }
}
file_event! {
    /// A file was deleted.
    FileDeleted = "file.deleted" {
        /// What it was called in addresses.
        filename: String,
    }
}

/// Messages of a room carry a file no longer, because it was deleted itself. They are shown otherwise from now on, so the
/// room is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileWithdrawn {
    /// The room.
    pub room: RoomId,
    /// The file.
    pub file_id: FileId,
}

impl Event for FileWithdrawn {
    const TYPE: &'static str = "file.withdrawn";

    fn topic(&self) -> String {
        topic(self.room)
    }

    fn aggregate(&self) -> String {
        format!("file:{}", self.file_id)
    }
}
