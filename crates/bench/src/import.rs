//! Importing many products over HTTP, and exporting them again.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    Arguments,
    client::{Connection, request},
    failure::Failure,
    scenarios::Report,
    server::{Server, run as run_command},
};

/// Lines to a piece of the body.
const LINES: u64 = 1_000;

pub(crate) async fn import(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    run_command(&arguments.binary, folder.path(), &["seed", "--products", "1"])?;
    let server = Server::start(&arguments.binary, folder.path(), &[]).await?;
    let token = admin(&server).await?;
    let lines = arguments.products;
    let before = server.memory()?;
    let (begun, cpu) = (Instant::now(), server.cpu()?);
    let sending = tokio::spawn(send(server.address, token.clone(), lines));
    let mut most = before;
    while !sending.is_finished() {
        most = most.max(server.memory()?);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let result = sending.await??;
    let (wall, cpu) = (begun.elapsed(), server.cpu()?.saturating_sub(cpu));
    if result.get("created").and_then(Value::as_u64) != Some(lines) {
        return Err(Failure::new(format!("not all lines were imported: {result}")));
    }
    let count = f64::from(u32::try_from(lines).unwrap_or(u32::MAX));
    report.add(
        format!("importing {lines} new products from CSV"),
        format!(
            "{:.0} lines/s, {:.1} µs CPU a line",
            count / wall.as_secs_f64(),
            cpu.as_secs_f64() * 1e6 / count
        ),
        "≥ 50,000/s",
    );
    report.add(
        "resident memory before and at most during it",
        format!("{before:.0} MiB, {most:.0} MiB"),
        "flat",
    );
    let begun = Instant::now();
    let bytes = export(server.address, &token).await?;
    let exported = format!("{:.0} lines/s, {} MiB", count / begun.elapsed().as_secs_f64(), bytes / 1_048_576);
    report.add(format!("exporting {lines} products to CSV"), exported, "");
    Ok(())
}

async fn admin(server: &Server) -> Result<String, Failure> {
    let mut connection = Connection::open(server.address).await?;
    let login = json!({"email": "admin@demo.stoa", "password": "Demo-Shop-1"});
    let session =
        connection.send(&request("POST", "/api/auth/login", None, Some(&login))).await?.expect(200)?;
    Ok(session.get("accessToken").and_then(Value::as_str).unwrap_or_default().to_owned())
}

/// Sends the lines as they are made; answers the result.
async fn send(address: std::net::SocketAddr, token: String, lines: u64) -> Result<Value, Failure> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "POST /api/admin/catalog/import HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\
         content-type: text/csv\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut text = "name,description,price,stock,category,status\n".to_owned();
    for number in 0..lines {
        let (series, thing) = (SERIES.get(pick(number / 7, 8)), THINGS.get(pick(number / 3, 8)));
        let name = format!("{} {} {number}", series.unwrap_or(&"Nord"), thing.unwrap_or(&"Lamp"));
        let _ = writeln!(
            text,
            "{name},\"{name}, made for a shop of the size that we want to measure.\",{}.{:02},{},department-{},ACTIVE",
            number % 900,
            number % 100,
            number % 250,
            number % 12
        );
        if number % LINES == LINES - 1 || number + 1 == lines {
            stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).await?;
            text.clear();
        }
    }
    stream.write_all(b"0\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let json = answer.find('{').and_then(|from| Some((from, answer.rfind('}')?)));
    let body = json.and_then(|(from, to)| answer.get(from..=to)).unwrap_or_default();
    serde_json::from_str(body).map_err(|error| Failure::new(format!("{error}: {answer}")))
}

const SERIES: [&str; 8] = ["Alba", "Cove", "Ember", "Fjord", "Harbour", "Juniper", "Linden", "Willow"];
const THINGS: [&str; 8] = [
    "Teapot",
    "Table Lamp",
    "Bookshelf",
    "Watering Can",
    "Fountain Pen",
    "Backpack",
    "Raincoat",
    "Turntable",
];

fn pick(number: u64, of: u64) -> usize {
    usize::try_from(number % of).unwrap_or(0)
}

/// Reads an export to its end; answers its length.
async fn export(address: std::net::SocketAddr, token: &str) -> Result<usize, Failure> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "GET /api/admin/catalog/export HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let (mut piece, mut bytes) = (vec![0; 256 * 1024], 0);
    loop {
        match stream.read(&mut piece).await? {
            0 => return Ok(bytes),
            read => bytes += read,
        }
    }
}
