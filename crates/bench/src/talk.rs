//! Talking: what a stored message costs, in one room and in many, and a page of what was said.

use std::{sync::Arc, time::Duration};

use serde_json::json;

use crate::{
    Arguments,
    client::{Connection, request},
    failure::Failure,
    measure::{drive, drive_each},
    scenarios::Report,
    server::Server,
    shop::Buyer,
};

const PEOPLE: usize = 64;

pub(crate) async fn talk(arguments: &Arguments, server: &Server, report: &mut Report) -> Result<(), Failure> {
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        people.push(Buyer::register(server.address, 1_000 + number).await?);
    }
    let time = Duration::from_secs(arguments.seconds);
    for (what, rooms) in [("one room", 1), ("64 rooms", PEOPLE)] {
        let mut sends = Vec::new();
        for (number, person) in people.iter().enumerate() {
            let slug = format!("bench-{rooms}-{}", number % rooms);
            enter(server, person, &slug).await?;
            let said = json!({"room": slug, "content": "Does the linen shrink when it is washed hot?"});
            sends.push(Arc::new(request("POST", "/api/messages", Some(person.token()), Some(&said))));
        }
        let cost = drive_each(server, sends, time, 201).await?;
        report.add(format!("POST a message, stored, {PEOPLE} people in {what}"), cost, "≤ 50 µs");
    }
    let reader = people.first().ok_or_else(|| Failure::new("nobody is there"))?;
    let page = request("GET", "/api/messages?room=bench-1-0&limit=50", Some(reader.token()), None);
    let cost = drive(server, PEOPLE, time, page).await?;
    report.add("GET the last 50 messages", cost, "≤ 60 µs");
    Ok(())
}

/// Opens the room if it is not there, and joins it.
async fn enter(server: &Server, person: &Buyer, slug: &str) -> Result<(), Failure> {
    let mut connection = Connection::open(server.address).await?;
    let open = request("POST", "/api/rooms", Some(person.token()), Some(&json!({"slug": slug})));
    let opened = connection.send(&open).await?;
    if opened.status == 409 {
        let join = request("POST", &format!("/api/rooms/{slug}/join"), Some(person.token()), None);
        return connection.send(&join).await?.expect(200).map(drop);
    }
    opened.expect(201).map(drop)
}
