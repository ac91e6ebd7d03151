//! Many writers and many readers: whoever asks after a write was answered never sees what was before it; not in a product,
//! not in lists with filters, not in what a search finds. By counts, not by the clock; `STOA_SOAK=1` makes it long.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use stoa_testing::{Client, json};

use crate::{made, offered};

const WRITERS: usize = 16;
const READERS: usize = 64;

/// How often each writer writes, and how often each reader reads at least.
fn rounds() -> (u64, u64) {
    if std::env::var_os("STOA_SOAK").is_some() { (500, 500) } else { (12, 12) }
}

/// A product that one writer changes, and how far that has come.
struct Changing {
    path: String,
    number: usize,
    /// The last round whose write was answered.
    answered: AtomicU64,
}

impl Changing {
    async fn write(&self, admin: &Client, rounds: u64) {
        for round in 1..=rounds {
            let change = json!({"name": format!("Marker{} round {round}", self.number), "stock": round});
            admin.patch(&self.path, change).await.expect(200);
            self.answered.store(round, Ordering::SeqCst);
        }
    }

    /// The ways in which it is shown.
    fn paths(&self) -> [String; 4] {
        let number = self.number;
        [
            self.path.clone(),
            format!("/api/products?category=race-{number}&inStock=true&sortBy=price"),
            format!("/api/products?search=marker{number}&sortBy=name"),
            format!("/api/products/search?q=marker{number}"),
        ]
    }

    /// Looks at it in one of these ways; fails when what is seen is older than what was answered before the look.
    async fn look(&self, client: &Client, way: usize) -> bool {
        let paths = self.paths();
        let path = &paths[way % paths.len()];
        let floor = self.answered.load(Ordering::SeqCst);
        let answer = client.get(path).await.expect(200);
        let seen = if way.is_multiple_of(paths.len()) {
            answer.body.clone()
        } else {
            let name = format!("Marker{} ", self.number);
            let mut found =
                answer.entries().iter().filter(|entry| entry["name"].as_str().unwrap().starts_with(&name));
            found.next().unwrap_or_else(|| panic!("{path} has lost its product: {}", answer.text)).clone()
        };
        let round: u64 = seen["name"].as_str().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
        assert!(round >= floor, "{path} showed round {round} after {floor} was answered");
        assert_eq!(seen["stock"], round.max(1), "{path} mixed two states");
        answer.header("x-cache") == Some("HIT")
    }
}

stoa_testing::each_engine! {

async fn race_of_writers_and_readers_shows_nothing_older_than_answered(app: TestApp) {
    let admin = app.admin().await;
    let (writes, reads) = rounds();
    let mut products = Vec::new();
    for number in 0..WRITERS {
        let mut body = offered(&format!("Marker{number} round 0"), 1.0, 1);
        body["category"] = json!(format!("race-{number}"));
        let path = made(&admin, body).await;
        products.push(Arc::new(Changing { path, number, answered: AtomicU64::new(0) }));
    }
    let writing = Arc::new(AtomicUsize::new(WRITERS));
    let writers: Vec<_> = products.iter().map(|product| {
        let (product, admin, writing) = (Arc::clone(product), admin.clone(), Arc::clone(&writing));
        tokio::spawn(async move {
            product.write(&admin, writes).await;
            writing.fetch_sub(1, Ordering::SeqCst);
        })
    }).collect();
    let readers: Vec<_> = (0..READERS).map(|reader| {
        let (products, client, writing) = (products.clone(), app.anon(), Arc::clone(&writing));
        tokio::spawn(async move {
            let (mut looks, mut hits) = (0, 0_u64);
            while looks < reads || writing.load(Ordering::SeqCst) > 0 {
                let turn = reader + usize::try_from(looks).unwrap();
                // Few products at a time, so that several readers want the same answer at once.
                let product = &products[turn / 4 % WRITERS];
                hits += u64::from(product.look(&client, turn).await);
                looks += 1;
            }
            hits
        })
    }).collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let mut hits = 0;
    for reader in readers {
        hits += reader.await.unwrap();
    }
    for product in &products {
        assert_eq!(product.answered.load(Ordering::SeqCst), writes);
        for way in 0..4 {
            product.look(&app.anon(), way).await;
        }
    }
    assert!(hits > 0, "the cache was never asked for anything it had");
}

}
