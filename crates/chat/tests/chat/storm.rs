//! Everything at once: afterwards each count is what the tables say when they are counted anew, and what the log tells.

use std::collections::{BTreeMap, BTreeSet};

use stoa_chat::{ChatError, Content, Emoji, RoomKey};
use stoa_contracts::chat::{MessageId, RoomId};
use stoa_http::IfMatch;
use stoa_kernel::{Random, UserId};
use stoa_platform::verify::verify;
use stoa_testing::{Client, TestApp, Value, at_once, each_engine, json};

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

each_engine! {
    async fn race_a_storm_leaves_every_count_exact(app: TestApp) {
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
        let storm = people.iter().enumerate().flat_map(|(number, one)| {
            let who = Speaker::of(app, one);
            [(tea, true), (general, false)].map(|(room, keeps_out)| {
                let random = Random::seeded(number as u64 * 2 + u64::from(keeps_out));
                storms(who.clone(), room, random, keeps_out)
            })
        });
        at_once(storm.collect::<Vec<_>>()).await;
        app.settle().await;
        let books = books(app).await;
        assert!(books.messages.len() > 100);
        for one in people.iter().chain([&ann]) {
            for id in [tea, general] {
                shown_as_kept(one, id, &books).await;
            }
        }
        told_as_kept(app, &books).await;
        let found = verify(&app.platform().database, app.clock.clock().now(), stoa_chat::verify::checks()).await.unwrap();
        let wrong: Vec<_> = found.iter().flat_map(|findings| &findings.contradictions).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
