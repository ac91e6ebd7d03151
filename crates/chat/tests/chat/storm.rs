//! Everything at once: afterwards each count is what the tables say when they are counted anew, and what the log tells.

use std::collections::{BTreeMap, BTreeSet};

use stoa_chat::{ChatError, Content, Emoji, RoomKey};
use stoa_contracts::chat::{MessageId, RoomId};
use stoa_http::IfMatch;
use stoa_kernel::{Random, UserId};
use stoa_platform::verify::verify;
use stoa_testing::{Client, Live, Method, TestApp, Value, at_once, each_engine, json, two_nodes};

use crate::{Speaker, heard, joins, opens, room};

const PEOPLE: usize = 6;
const TURNS: usize = 60;
const EMOJIS: [&str; 3] = ["👍", "🍵", ":no:"];

/// One of so many, by chance.
fn pick(random: &Random, many: usize) -> usize {
    usize::try_from(random.below(many as u64)).unwrap()
}

/// What people run into who do all at once; anything else is a fault.
fn harmless(done: Result<(), ChatError>) {
    use ChatError::{Deleted, NotAMember, UnknownMessage};
    match done {
        Ok(()) | Err(Deleted | NotAMember | UnknownMessage) => {}
        Err(error) => panic!("{error}"),
    }
}

async fn any_message(app: Speaker, room: RoomId, random: &Random) -> Option<MessageId> {
    let found = app.platform.database.get(move |c| {
        let sql = "SELECT id FROM messages WHERE room_id = $1 ORDER BY seq DESC LIMIT 30";
        c.query(sql, stoa_platform::params![room], |row| row.read())
    });
    let found: Result<Vec<MessageId>, stoa_platform::database::DatabaseError> = found.await;
    let found = found.unwrap();
    (!found.is_empty()).then(|| found[pick(random, found.len())])
}

/// What one person does in one room, turn after turn.
async fn storms(who: Speaker, room: RoomId, random: Random, keeps_out: bool) {
    for turn in 0..TURNS {
        let (now, visitor) = (who.now(), who.visitor);
        let message = any_message(who.clone(), room, &random).await;
        let done = match (pick(&random, 12), message) {
            (0..=3, _) | (_, None) => {
                let text =
                    format!("Turn {turn} @user{} @user{}", pick(&random, PEOPLE), pick(&random, PEOPLE));
                who.says(room, &text, None).await.map(drop)
            }
            (4, Some(id)) => {
                let text = format!("Edited @user{}", pick(&random, PEOPLE));
                let content = Content::parse(text).unwrap();
                match who.chat.edit(now, visitor, id, content, IfMatch::default()).await {
                    Err(ChatError::Refused(_)) => Ok(()),
                    done => done.map(drop),
                }
            }
            (5, Some(id)) => match who.chat.delete(now, visitor, id, IfMatch::default()).await {
                Err(ChatError::Refused(_)) => Ok(()),
                done => done,
            },
            (6 | 7, Some(id)) => who.chat.mark_read(now, visitor, id).await.map(drop),
            (8 | 9, Some(id)) => {
                let emoji = Emoji::parse(EMOJIS[pick(&random, EMOJIS.len())]).unwrap();
                who.chat.react(now, visitor, id, emoji).await.map(drop)
            }
            (10, Some(_)) if keeps_out => who.chat.leave(now, visitor, RoomKey::Id(room)).await,
            (_, Some(_)) => who.chat.join(now, visitor, RoomKey::Id(room)).await.map(drop),
        };
        harmless(done);
    }
}

/// What people run into over sockets and REST who do all at once.
const HARMLESS: [&str; 4] = ["MESSAGE_DELETED", "NOT_A_MEMBER", "NOT_IN_ROOM", "MESSAGE_NOT_FOUND"];

/// Somebody at a socket and at a REST client, in one room; what one does is as good as what the other does.
struct Talker {
    rest: Client,
    live: Live,
    room: &'static str,
    /// What was said and not taken back: a socket that is refused too often is closed.
    own: Vec<String>,
    is_in: bool,
}

impl Talker {
    async fn at(node: &str, who: &Client, room: &'static str) -> Self {
        let mut live = Live::socketio(node, who).await;
        live.does("join-room", json!(room)).await;
        Self { rest: who.clone().at(node), live, room, own: Vec::new(), is_in: true }
    }

    /// By one way or the other; answers the message if there is one.
    async fn does(&mut self, by_socket: bool, word: &str, path: &str, mut body: Value) -> Value {
        let (code, message) = if by_socket {
            let ack = self.live.asks(word, body).await;
            (ack["error"]["code"].clone(), ack["message"].clone())
        } else {
            let method = match word {
                "message-edit" => Method::PUT,
                "message-delete" => Method::DELETE,
                _ => Method::POST,
            };
            body.as_object_mut().unwrap().remove("messageId");
            let body = (method != Method::DELETE).then(|| body.to_string());
            let answer = self.rest.attempt(method, path, body).await.unwrap();
            (answer.body["code"].clone(), answer.body)
        };
        assert!(code.is_null() || HARMLESS.iter().any(|harmless| code == *harmless), "{word}: {code}");
        message
    }

    async fn storms(mut self, speaker: Speaker, id: RoomId, random: Random) {
        for turn in 0..TURNS {
            let (by_socket, choice) = (pick(&random, 2) == 0, pick(&random, 12));
            if !self.is_in {
                self.live.does("join-room", json!(self.room)).await;
                self.is_in = true;
            }
            let (room, own) = (self.room, self.own.len());
            let message = any_message(speaker.clone(), id, &random).await;
            match (choice, message) {
                (4, _) if own > 0 => {
                    let id = self.own[pick(&random, own)].clone();
                    let body =
                        json!({"messageId": id, "content": format!("Edited @user{}", pick(&random, PEOPLE))});
                    self.does(by_socket, "message-edit", &format!("/api/messages/{id}"), body).await;
                }
                (5, _) if own > 0 => {
                    let id = self.own.swap_remove(pick(&random, own));
                    let body = json!({"messageId": id});
                    self.does(by_socket, "message-delete", &format!("/api/messages/{id}"), body).await;
                }
                (6 | 7, Some(id)) => {
                    let path = format!("/api/messages/{id}/read");
                    self.does(by_socket, "message-read", &path, json!({"messageId": id})).await;
                }
                (8 | 9, Some(id)) => {
                    let body = json!({"messageId": id, "emoji": EMOJIS[pick(&random, EMOJIS.len())]});
                    let path = format!("/api/messages/{id}/react");
                    self.does(by_socket, "message-react", &path, body).await;
                }
                (10, _) if room != "general" => {
                    self.rest.post(&format!("/api/rooms/{room}/leave"), json!({})).await.expect(204);
                    self.is_in = false;
                }
                _ => {
                    let text = format!("Turn {turn} @user{}", pick(&random, PEOPLE));
                    let body = json!({"room": room, "content": text});
                    let message = self.does(by_socket, "send-message", "/api/messages", body).await;
                    self.own.extend(message["id"].as_str().map(str::to_owned));
                }
            }
        }
    }
}

type Rows<T> = Vec<T>;

/// Everything that was kept, as it is.
struct Books {
    messages: Rows<(MessageId, RoomId, i64, UserId, String, bool)>,
    members: Rows<(RoomId, UserId, i64)>,
    mentions: Rows<(MessageId, UserId)>,
    reactions: BTreeSet<(MessageId, String, UserId)>,
}

async fn books(app: &TestApp) -> Books {
    app.read(|c| {
        Ok(Books {
            messages: c.query(
                "SELECT id, room_id, seq, sender_id, content, deleted_at IS NOT NULL FROM messages ORDER BY room_id, seq",
                &[],
                |row| Ok((row.read()?, row.read()?, row.read()?, row.read()?, row.read()?, row.read()?)),
            )?,
            members: c.query("SELECT room_id, user_id, read_seq FROM room_members", &[], |row| {
                Ok((row.read()?, row.read()?, row.read()?))
            })?,
            mentions: c.query("SELECT message_id, user_id FROM message_mentions", &[], |row| {
                Ok((row.read()?, row.read()?))
            })?,
            reactions: c
                .query("SELECT message_id, emoji, user_id FROM message_reactions", &[], |row| {
                    Ok((row.read()?, row.read()?, row.read()?))
                })?
                .into_iter()
                .collect(),
        })
    })
    .await
}

/// What everybody is shown of a room is what its rows come to.
async fn shown_as_kept(who: &Client, id: RoomId, books: &Books) {
    let user: UserId = who.user_id().parse().unwrap();
    let messages: Vec<_> = books.messages.iter().filter(|(_, room, ..)| *room == id).collect();
    let shown = room(who, &id.to_string()).await;
    if let Some((.., read)) = books.members.iter().find(|(room, member, _)| (*room, *member) == (id, user)) {
        let unread: Vec<_> = messages.iter().filter(|(_, _, seq, ..)| seq > read).collect();
        let mentioned = |message: MessageId| books.mentions.contains(&(message, user));
        let mentions = unread.iter().filter(|(message, ..)| mentioned(*message)).count();
        assert_eq!(
            (&shown["unreadCount"], &shown["mentionCount"], &shown["readSeq"]),
            (&json!(unread.len()), &json!(mentions), &json!(read))
        );
    }
    for message in heard(who, &id.to_string()).await {
        let kept = messages.iter().find(|(kept, ..)| json!(kept) == message["id"]).unwrap();
        let (message_id, _, seq, sender, content, deleted) = kept;
        assert_eq!((&message["seq"], &message["content"]), (&json!(seq), &json!(content)));
        assert_eq!(message.get("deletedAt").is_some(), *deleted);
        let readers = books
            .members
            .iter()
            .filter(|(room, member, read)| *room == id && member != sender && read >= seq);
        assert_eq!(message["readByCount"], json!(readers.count()));
        let mut reactions: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (_, emoji, by) in books.reactions.iter().filter(|(reacted, ..)| reacted == message_id) {
            reactions.entry(emoji).or_default().insert(by.to_string());
        }
        let shown: BTreeMap<&str, BTreeSet<String>> = message["reactions"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(emoji, by)| {
                (
                    emoji.as_str(),
                    by.as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect(),
                )
            })
            .collect();
        assert_eq!(shown, reactions);
    }
}

fn text<'v>(event: &'v Value, name: &str) -> &'v str {
    event[name].as_str().unwrap()
}

/// Whoever follows the log from its beginning ends up with what is kept.
async fn told_as_kept(app: &TestApp, books: &Books) {
    let kinds = ["chat.message_sent", "chat.message_edited", "chat.message_deleted", "chat.message_reaction"];
    let log = app.read(move |c| {
        let filter = stoa_platform::events::Filter { types: &kinds, topics: &[] };
        stoa_platform::events::read_after(c, 0, filter, 100_000)
    });
    let mut contents: BTreeMap<String, String> = BTreeMap::new();
    let mut reactions: BTreeSet<(String, String, String)> = BTreeSet::new();
    for event in log.await {
        let payload: Value = serde_json::from_str(&event.payload).unwrap();
        let id = text(&payload, "messageId").to_owned();
        match event.kind.as_str() {
            "chat.message_sent" | "chat.message_edited" => {
                contents.insert(id, text(&payload["message"], "content").to_owned());
            }
            "chat.message_deleted" => {
                reactions.retain(|(message, ..)| *message != id);
                contents.insert(id, String::new());
            }
            _ => {
                let reaction = (id, text(&payload, "emoji").to_owned(), text(&payload, "userId").to_owned());
                let changed = if payload["added"] == true {
                    reactions.insert(reaction)
                } else {
                    reactions.remove(&reaction)
                };
                assert!(changed, "each reaction is told once");
            }
        }
    }
    let kept = books.messages.iter().map(|(id, _, _, _, content, _)| (id.to_string(), content.clone()));
    assert_eq!(contents, kept.collect());
    let kept =
        books.reactions.iter().map(|(id, emoji, user)| (id.to_string(), emoji.clone(), user.to_string()));
    assert_eq!(reactions, kept.collect());
}

/// The people of a storm, all in `tea` and in `general`.
struct Scene {
    people: Vec<Client>,
    ann: Client,
    tea: RoomId,
    general: RoomId,
}

impl Scene {
    async fn set(app: &TestApp) -> Self {
        let ann = app.shopper("ann").await;
        let mut people = Vec::new();
        for number in 0..PEOPLE {
            people.push(app.shopper(&format!("user{number}")).await);
        }
        app.settle().await;
        let tea: RoomId = opens(&ann, "tea", "public").await.parse().unwrap();
        let general: RoomId = room(&ann, "general").await["id"].as_str().unwrap().parse().unwrap();
        for one in &people {
            joins(one, "tea").await;
        }
        Self { people, ann, tea, general }
    }

    /// Each count is what the rows come to, and what the log tells.
    async fn is_counted_right(&self, app: &TestApp) {
        app.settle().await;
        let books = books(app).await;
        assert!(books.messages.len() > 100);
        for one in self.people.iter().chain([&self.ann]) {
            for id in [self.tea, self.general] {
                shown_as_kept(one, id, &books).await;
            }
        }
        told_as_kept(app, &books).await;
        let found = verify(&app.platform().database, app.clock.clock().now(), stoa_chat::verify::checks());
        let found = found.await.unwrap();
        let wrong: Vec<_> = found.iter().flat_map(|findings| &findings.contradictions).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    /// A storm over sockets and REST, at these nodes in turn.
    async fn storms_at(&self, app: &TestApp, nodes: &[String]) {
        let mut storm = Vec::new();
        for (number, one) in self.people.iter().enumerate() {
            for (name, id) in [("tea", self.tea), ("general", self.general)] {
                let talker = Talker::at(&nodes[number % nodes.len()], one, name).await;
                let random = Random::seeded(storm.len() as u64);
                storm.push(talker.storms(Speaker::of(app, one), id, random));
            }
        }
        at_once(storm).await;
    }
}

each_engine! {
    async fn race_a_storm_leaves_every_count_exact(app: TestApp) {
        let scene = Scene::set(app).await;
        let storm = scene.people.iter().enumerate().flat_map(|(number, one)| {
            let who = Speaker::of(app, one);
            [(scene.tea, true), (scene.general, false)].map(|(room, keeps_out)| {
                let random = Random::seeded(number as u64 * 2 + u64::from(keeps_out));
                storms(who.clone(), room, random, keeps_out)
            })
        });
        at_once(storm.collect::<Vec<_>>()).await;
        scene.is_counted_right(app).await;
    }

    async fn race_a_storm_over_sockets_and_rest_leaves_every_count_exact(app: TestApp) {
        let scene = Scene::set(app).await;
        scene.storms_at(app, &[app.address()]).await;
        scene.is_counted_right(app).await;
    }
}

two_nodes! {
    async fn race_a_storm_over_sockets_at_two_nodes_leaves_every_count_exact(app: TestApp, other: AnotherNode) {
        let scene = Scene::set(app).await;
        scene.storms_at(app, &[app.address(), other.address()]).await;
        scene.is_counted_right(app).await;
    }
}
