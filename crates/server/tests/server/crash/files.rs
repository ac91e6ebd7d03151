//! Killed at each step of keeping and of deleting a file: afterwards rows and objects agree, and nothing stays that nobody
//! knows of.

use std::{collections::BTreeSet, os::unix::process::ExitStatusExt};

use reqwest::Method;
use stoa_files::CleanUpFiles;
use stoa_kernel::{Clock, Random};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Engine, Tx},
    jobs, params,
};
use stoa_testing::{Client, Form, PASSWORD, Value, json};

use super::on;
use crate::node::{Home, Node, tell};

/// A picture, so that there is more than one object to a file.
const PICTURE: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\xff\0\0\0\0\xff\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3b";
/// Files that are there before.
const KEPT: usize = 2;

/// Somebody with files, and the house they are in.
struct Library {
    home: Home,
    session: Value,
    /// The files that were answered and not asked to be deleted.
    kept: BTreeSet<String>,
}

impl Library {
    async fn open(engine: Engine) -> Self {
        let home = Home::new(engine);
        let node = home.start().await;
        let body = json!({"email": "ann@example.com", "password": PASSWORD, "name": "Ann"});
        let session = home.anon().post("/api/auth/register", body).await.expect(201).body;
        let mut library = Self { home, session, kept: BTreeSet::new() };
        for _ in 0..KEPT {
            library.sends().await;
        }
        node.kill();
        library
    }

    fn ann(&self) -> Client {
        self.home.anon().signed_in(self.session.clone())
    }

    /// Sends a picture to the room for everybody; whether it was answered.
    async fn sends(&mut self) -> bool {
        let form = Form::new().text("room", "general").file("file", "a.gif", "image/gif", PICTURE);
        let sent = self.ann().try_form("/api/files/upload", form).await;
        let Ok(answer) = sent else { return false };
        assert_eq!(answer.status, 201, "{}", answer.text);
        self.kept.insert(answer.id());
        true
    }

    /// Deletes a file. When that is not answered it may be there or not.
    async fn deletes(&mut self) {
        let id = self.kept.pop_first().unwrap();
        let answer = self.ann().attempt(Method::DELETE, &format!("/api/files/{id}"), None).await;
        if let Ok(answer) = answer {
            answer.expect(204);
        }
    }

    /// What was under way becomes old enough to be cleared away.
    async fn two_hours_pass(&self) {
        let database = self.home.open();
        let pass = move |tx: &mut Tx<'_>| {
            tx.execute("UPDATE files SET state_since = state_since - $1", params![7_200_000_000_i64])?;
            tx.execute("UPDATE jobs SET locked_until = 0 WHERE locked_until IS NOT NULL", &[])?;
            let occasion = Occasion::system(&Clock::system(), &Random::system(), "test");
            jobs::enqueue(tx, &occasion, &CleanUpFiles {}).map(drop)
        };
        database.write(pass).await.unwrap_or_else(|error: DatabaseError| panic!("{error}"));
    }

    /// Waits until no file is on its way in or out.
    async fn settles(&self, node: &Node) {
        let database = self.home.open();
        for _ in 0..4_000 {
            let open = database.read(|c| {
                c.find(
                    "SELECT (SELECT COUNT(*) FROM files WHERE state <> 'ready')
                         + (SELECT COUNT(*) FROM jobs WHERE queue = 'files' AND dead_at IS NULL AND run_at < $1)",
                    params![Clock::system().now()],
                    |row| row.read::<i64>(),
                )
            });
            let open: Result<Option<i64>, DatabaseError> = open.await;
            if open.unwrap() == Some(0) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("files stay on their way: {}", node.last_words());
    }

    /// Everything that was answered is there, and nothing else is.
    async fn must_agree(&mut self, place: &str) {
        let (agrees, told) = self.home.tries(&["files", "verify"]);
        assert!(agrees, "{place}: {told}");
        let (agrees, told) = self.home.tries(&["verify"]);
        assert!(agrees, "{place}: {told}");
        let listed = self.ann().get("/api/files?limit=100").await.expect(200);
        let there: BTreeSet<String> =
            listed.entries().iter().map(|file| file["id"].as_str().unwrap().to_owned()).collect();
        let missing: Vec<_> = self.kept.difference(&there).collect();
        assert!(missing.is_empty(), "{place}: answered and gone: {missing:?}");
        for file in listed.entries() {
            self.home.anon().get(file["url"].as_str().unwrap()).await.expect(200);
            self.home.anon().get(file["thumbnailUrl"].as_str().unwrap()).await.expect(200);
        }
        let shown = self.ann().get("/api/files/media/general?limit=100").await.expect(200);
        assert_eq!(shown.entries().len(), there.len(), "{place}: each is shown, and nothing else");
        let objects = walk(&self.home.data().join("files"));
        assert_eq!(objects.len(), there.len() * 2, "{place}: {objects:?}");
        assert_eq!(walk(&self.home.data().join("spool")), [""; 0], "{place}");
        // What was under way may have come to be, or to an end.
        self.kept = there;
    }
}

/// The names of all files below a folder.
fn walk(folder: &std::path::Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else {
            found.push(path.display().to_string());
        }
    }
    found
}

async fn die_at_every_step(engine: Engine) {
    let mut library = Library::open(engine).await;
    let keeping = stoa_files::KEEPING_FAILPOINTS.iter().map(|place| (*place, true));
    let deleting = stoa_files::DELETING_FAILPOINTS.iter().map(|place| (*place, false));
    for (place, sends) in keeping.chain(deleting) {
        let mut node = library.home.start_doomed(place, 1).await;
        if sends {
            assert!(!library.sends().await, "{place}: answered by a node that should be dead");
        } else {
            library.deletes().await;
        }
        assert_eq!(node.ends().await.signal(), Some(9), "{place}: {}", node.last_words());
        library.two_hours_pass().await;
        let node = library.home.start().await;
        library.settles(&node).await;
        library.must_agree(place).await;
        if !sends {
            library.sends().await;
        }
        node.kill();
    }
    tell(&format!("{} files at the end", library.kept.len()));
}

mod crash_at_every_step_of_a_file {
    use super::*;

    #[test]
    fn sqlite() {
        on(Engine::Sqlite, die_at_every_step(Engine::Sqlite));
    }

    #[test]
    fn postgres() {
        on(Engine::Postgres, die_at_every_step(Engine::Postgres));
    }
}
