//! The search index: what is entered, by whom, and what becomes of it.

use stoa_kernel::PageRequest;

use super::*;
use crate::{
    find_products,
    search::{Asked, Entry, Search},
    store::{products, search},
};

fn asking(text: &str) -> Search {
    Search {
        asked: Asked::of(text),
        statuses: ProductStatus::ALL.to_vec(),
        category: None,
        min_price: None,
        max_price: None,
    }
}

impl Shop {
    async fn finds_by(&self, text: &str) -> Vec<String> {
        let search = asking(text);
        let read = move |connection: &mut Connection<'_>| {
            find_products::page(connection, &search, (&PageRequest::first(100), None), usd())
        };
        let page = self.database.read::<_, DatabaseError, _>(read).await.unwrap();
        page.entries.into_iter().map(|product| product.name).collect()
    }

    /// Makes the products as they were before there was a search.
    async fn forgets_its_search(&self) {
        let forget = |tx: &mut stoa_platform::database::Tx<'_>| {
            if tx.engine() == Engine::Sqlite {
                tx.batch(
                    "DELETE FROM product_texts; INSERT INTO product_prices (product_prices) VALUES ('delete-all')",
                )?;
            }
            tx.batch(
                "DELETE FROM product_search; INSERT INTO search_backlog (product_id) SELECT id FROM products",
            )
        };
        self.database.write::<_, DatabaseError, _>(forget).await.unwrap();
    }
}

each_engine! { TABLES;

async fn products_from_before_the_search_are_entered_later(db: TestDatabase) {
    let shop = shop(&db);
    let new: Vec<_> = (0..1_500).map(|number| offered(&format!("Lamp {number}"), 1, 1, "home")).collect();
    let ids = shop.does(move |shop, tx, occasion| shop.seed_products(tx, occasion, &new)).await.unwrap();
    shop.forgets_its_search().await;
    assert_eq!(shop.finds_by("lamp 7").await, Vec::<String>::new());

    let renamed = ProductChanges { name: Some("Chair".into()), ..ProductChanges::default() };
    shop.changes(ids[7], renamed).await.unwrap();
    assert_eq!(shop.finds_by("chair").await, ["Chair"], "a change enters it at once");
    let deleted = ids[8];
    shop.does(move |shop, tx, occasion| shop.delete_product(tx, occasion, deleted, &IfMatch::default())).await.unwrap();

    let mut entered = Vec::new();
    loop {
        let some = shop.does::<_, DatabaseError>(|shop, tx, _| shop.enter_some(tx)).await.unwrap();
        if some == 0 {
            break;
        }
        entered.push(some);
    }
    assert_eq!(entered, [1_000, 500]);
    assert_eq!(shop.finds_by("chair").await, ["Chair"], "once");
    assert_eq!(shop.finds_by("lamp 1499").await, ["Lamp 1499"]);
    assert_eq!(shop.finds_by("lamp 8").await.first().map(String::as_str), Some("Lamp 80"), "what is gone stays gone");
}

async fn products_with_variants_are_entered_anew_by_the_migration(db: TestDatabase) {
    let shop = shop(&db);
    let tea = shop.makes(offered("Tea", 5, 0, "home")).await.id;
    shop.makes(offered("Cup", 5, 0, "home")).await;
    shop.adds_variant(tea, "Oolong", Some(1)).await.unwrap();
    // As it was before variants were found: an entry without their words.
    shop.database
        .write::<_, DatabaseError, _>(move |tx| {
            let mut product = products::find(tx, tea, usd())?.unwrap();
            product.variants.clear();
            let entry = Entry::of(&product);
            search::remove(tx, &entry)?;
            search::insert(tx, &[entry])
        })
        .await
        .unwrap();
    assert_eq!(shop.finds_by("oolong").await, Vec::<String>::new());
    let migrate = |tx: &mut stoa_platform::database::Tx<'_>| {
        let sql = match tx.engine() {
            Engine::Sqlite => include_str!("../../../../../migrations/0026_variant_words.sqlite.sql"),
            Engine::Postgres => include_str!("../../../../../migrations/0026_variant_words.postgres.sql"),
        };
        tx.batch(sql)
    };
    shop.database.write::<_, DatabaseError, _>(migrate).await.unwrap();
    let entered = shop.does::<_, DatabaseError>(|shop, tx, _| shop.enter_some(tx)).await.unwrap();
    assert_eq!((entered, shop.finds_by("oolong").await), (1, vec!["Tea".to_owned()]));
    assert_eq!((shop.finds_by("tea").await, shop.finds_by("cup").await), (vec!["Tea".to_owned()], vec!["Cup".to_owned()]));
}

async fn a_load_of_many_products_is_found(db: TestDatabase) {
    let shop = shop(&db);
    shop.database.write(begin_bulk_load).await.unwrap();
    let new: Vec<_> = (0..1_234).map(|number| offered(&format!("P{number:04} Lantern"), number, 1, "home")).collect();
    shop.does(move |shop, tx, occasion| shop.seed_products(tx, occasion, &new)).await.unwrap();
    assert_eq!(shop.finds_by("p0777").await, ["P0777 Lantern"], "also while it is loaded");
    shop.database.write(end_bulk_load).await.unwrap();
    assert_eq!(shop.finds_by("p0777 lantren").await, ["P0777 Lantern"]);
    assert_eq!(shop.finds_by("lantern").await.len(), 100);
}

async fn race_of_writers_that_learn_the_same_words_ends(db: TestDatabase) {
    let shop = shop(&db);
    let words = ["amber", "birch", "copper", "denim", "ebony", "fabric", "granite", "hazel"];
    let makers = (0..8_usize).map(|maker| {
        let shop = shop.clone();
        tokio::spawn(async move {
            for round in 0..8 {
                let mut mixed = words;
                mixed.rotate_left(maker);
                let name = format!("{} Made{maker}x{round}", mixed.join(" "));
                let new = [offered(&name, 1, 1, "home"), offered(&name.replace("Made", "Twin"), 1, 1, "home")];
                let both = move |shop: &Catalogue, tx: &mut stoa_platform::database::Tx<'_>, occasion: &Occasion| {
                    shop.seed_products(tx, occasion, &new)
                };
                shop.does(both).await.unwrap();
            }
        })
    });
    for maker in makers.collect::<Vec<_>>() {
        maker.await.unwrap();
    }
    assert_eq!(shop.finds_by("granite amber").await.len(), 100);
    assert_eq!(shop.finds_by("made3x5").await.len(), 1);
}

async fn many_matches_are_paged_without_gap_or_double(db: TestDatabase) {
    let shop = shop(&db);
    let new: Vec<_> = (0..3_000).map(|number| offered(&format!("A Lamp {number}"), number, 1, "home")).collect();
    shop.does(move |shop, tx, occasion| shop.seed_products(tx, occasion, &new)).await.unwrap();
    let search = asking("lamp");
    let mut request = PageRequest::first(100);
    let mut seen = Vec::new();
    loop {
        let (search, now) = (search.clone(), request.clone());
        let after = find_products::Spot::after(&now).unwrap();
        let read = move |connection: &mut Connection<'_>| {
            find_products::page(connection, &search, (&now, after.as_ref()), usd())
        };
        let page = shop.database.read::<_, DatabaseError, _>(read).await.unwrap();
        seen.extend(page.entries.into_iter().map(|product| product.name));
        let Some(next) = page.next else { break };
        request.position = Position::After(next);
    }
    let expected: Vec<String> = (0..3_000).map(|number| format!("A Lamp {number}")).collect();
    assert_eq!(seen, expected);
    let list = Listing { words: Some(Asked::of("lam")), ..everything(SortKey::Price, SortOrder::Desc) };
    let listed = shop.names(&list, 100).await;
    assert!(listed.iter().eq(expected.iter().rev()), "too many to be found first, so walked");
}

}
