//! What is measured, and the aims it is measured against.

use std::{fmt, time::Duration};

use crate::{
    Arguments,
    client::{Connection, request},
    failure::Failure,
    import::import,
    measure::{Cost, drive},
    realtime::{Comparison, realtime},
    search::search,
    server::{Server, run as run_command},
    shop::{Buyer, offers, order_rounds, products},
    sign_in::sign_in,
    talk::talk,
};

const CONNECTIONS: usize = 64;
const ROUNDS: usize = 40;

/// The figures, a line each, and those of several programs side by side.
#[derive(Default)]
pub(crate) struct Report {
    figures: Vec<(String, String, String)>,
    comparison: Comparison,
}

impl Report {
    pub(crate) fn add(&mut self, what: impl Into<String>, figure: impl fmt::Display, aim: &str) {
        self.figures.push((what.into(), figure.to_string(), aim.to_owned()));
    }

    pub(crate) fn comparison(&mut self) -> &mut Comparison {
        &mut self.comparison
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.figures.is_empty() {
            writeln!(f, "| what | measured | aim |\n| --- | --- | --- |")?;
        }
        for (what, figure, aim) in &self.figures {
            writeln!(f, "| {what} | {figure} | {aim} |")?;
        }
        if !self.comparison.is_empty() {
            writeln!(f, "\n{}", self.comparison)?;
        }
        Ok(())
    }
}

/// Runs every scenario that is asked for.
pub(crate) async fn run(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let wanted = |name: &str| name.contains(&arguments.only);
    let folder = tempfile::tempdir()?;
    let data = folder.path();
    run_command(&arguments.binary, data, &["seed", "--products", "1000"])?;
    if wanted("reads") {
        for (name, cache) in [("cached", "on"), ("uncached", "off")] {
            let server = Server::start(&arguments.binary, data, &[("STOA_CACHE", cache)]).await?;
            reads(arguments, &server, name, report).await?;
        }
    }
    if wanted("watching") {
        watching(arguments, data, report).await?;
    }
    if wanted("start") {
        let server = Server::start(&arguments.binary, data, &[]).await?;
        report.add("time to ready, existing folder", format!("{:.0?}", server.time_to_ready), "≤ 100 ms");
        report.add("resident memory after start", format!("{:.1} MiB", server.memory()?), "≤ 40 MiB");
    }
    if wanted("sign-in") {
        let server = Server::start(&arguments.binary, data, &[]).await?;
        sign_in(arguments, &server, report).await?;
    }
    if wanted("talk") {
        let server = Server::start(&arguments.binary, data, &[]).await?;
        talk(arguments, &server, report).await?;
    }
    if wanted("orders") {
        let server = Server::start(&arguments.binary, data, &[]).await?;
        orders(&server, report).await?;
    }
    if wanted("growth") || wanted("search") {
        growth(arguments, data, report).await?;
    }
    if wanted("import") {
        import(arguments, report).await?;
    }
    realtime(arguments, report).await
}

async fn reads(
    arguments: &Arguments,
    server: &Server,
    name: &str,
    report: &mut Report,
) -> Result<(), Failure> {
    let time = Duration::from_secs(arguments.seconds);
    let id = products(server.address).await?.into_iter().next().ok_or_else(|| Failure::new("no products"))?;
    let product = request("GET", &format!("/api/products/{id}"), None, None);
    let page = request("GET", "/api/products?limit=20", None, None);
    let cost = drive(server, CONNECTIONS, time, product).await?;
    report.add(format!("GET a product, {name}"), cost, "≤ 14 µs");
    let cost = drive(server, CONNECTIONS, time, page).await?;
    report.add(format!("GET 20 products, {name}"), cost, "≤ 28 µs");
    if name == "cached" {
        let buyer = Buyer::register(server.address, 0).await?;
        let me = request("GET", "/api/auth/me", Some(buyer.token()), None);
        report.add("GET me", drive(server, CONNECTIONS, time, me).await?, "≤ 20 µs");
        report.add("resident memory after the reads", format!("{:.1} MiB", server.memory()?), "");
    }
    Ok(())
}

/// What limits and traces add to the cheapest request. The collector is one that is not there.
async fn watching(arguments: &Arguments, data: &std::path::Path, report: &mut Report) -> Result<(), Failure> {
    const LIMITS: [(&str, &str); 2] =
        [("STOA_RATE_LIMITS", "on"), ("STOA_RATE_LIMIT_GENERAL", "1000000000/1s")];
    const TRACES: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    let [on, wide] = LIMITS;
    let none = ("OTEL_TRACES_SAMPLER_ARG", "0");
    for (name, settings) in [
        ("nothing", &[][..]),
        ("limits", &[on, wide]),
        ("limits, traces of none", &[on, wide, TRACES, none]),
        ("limits, traces of all", &[on, wide, TRACES]),
    ] {
        let server = Server::start(&arguments.binary, data, settings).await?;
        let id =
            products(server.address).await?.into_iter().next().ok_or_else(|| Failure::new("no products"))?;
        let product = request("GET", &format!("/api/products/{id}"), None, None);
        let time = Duration::from_secs(arguments.seconds);
        let cost = drive(&server, CONNECTIONS, time, product).await?;
        report.add(format!("GET a product, cached, with {name}"), cost, "");
    }
    Ok(())
}

async fn orders(server: &Server, report: &mut Report) -> Result<(), Failure> {
    let mut buyers = Vec::new();
    for number in 1..=CONNECTIONS {
        buyers.push(Buyer::register(server.address, number).await?);
    }
    for count in [1, 16, CONNECTIONS] {
        let rest = buyers.split_off(count);
        let rounds = if count == 1 { ROUNDS * 4 } else { ROUNDS };
        let (again, cost) = order_rounds(server, buyers, rounds, None).await?;
        buyers = again;
        buyers.extend(rest);
        let aim = if count == CONNECTIONS { "≥ 5,000/s" } else { "" };
        report.add(format!("orders of a cart of 3, {count} buyers"), cost, aim);
    }
    let code = offers(server.address).await?;
    let (_, cost) = order_rounds(server, buyers, ROUNDS, Some(code)).await?;
    report.add(format!("the same with two offers, one by code, {CONNECTIONS} buyers"), cost, "");
    Ok(())
}

/// A page deep in the list must cost the same in a small shop and in a large one.
async fn growth(arguments: &Arguments, small: &std::path::Path, report: &mut Report) -> Result<(), Failure> {
    let large = tempfile::tempdir()?;
    let begun = std::time::Instant::now();
    run_command(&arguments.binary, large.path(), &["seed", "--products", &arguments.products.to_string()])?;
    report.add(format!("seeding {} products", arguments.products), format!("{:.1?}", begun.elapsed()), "");
    let wanted = |name: &str| name.contains(&arguments.only);
    let mut costs = Vec::new();
    for (name, data) in [("1,000".to_owned(), small), (arguments.products.to_string(), large.path())] {
        if wanted("search") {
            search(arguments, (&name, data), report).await?;
        }
        if !wanted("growth") {
            continue;
        }
        let server = Server::start(&arguments.binary, data, &[("STOA_CACHE", "off")]).await?;
        let cost = deep_page(arguments, &server).await?;
        report.add(format!("page of 20 by cursor among {name} products"), cost, "");
        costs.push(cost);
    }
    if let [small, large] = costs.as_slice() {
        report.add("large to small", format!("{:.2}", large.micros() / small.micros()), "0.8 to 1.2");
    }
    Ok(())
}

async fn deep_page(arguments: &Arguments, server: &Server) -> Result<Cost, Failure> {
    let mut connection = Connection::open(server.address).await?;
    let mut path = "/api/products?limit=20&sortBy=price".to_owned();
    for _ in 0..10 {
        let page = connection.send(&request("GET", &path, None, None)).await?.expect(200)?;
        let cursor = page.get("nextCursor").and_then(serde_json::Value::as_str).unwrap_or_default();
        path = format!("/api/products?limit=20&sortBy=price&cursor={cursor}");
    }
    let page = request("GET", &path, None, None);
    drive(server, CONNECTIONS, Duration::from_secs(arguments.seconds), page).await
}
