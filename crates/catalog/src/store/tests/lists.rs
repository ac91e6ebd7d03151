//! Lists: the right products in the right order, at every page.

use super::*;

/// Two dozen products of every status, some of the same price, some sold out.
async fn stocked_shop(db: &TestDatabase) -> Shop {
    let shop = shop(db);
    for number in 0..24_i64 {
        let name = format!("{} {number:02}", if number % 3 == 0 { "Lamp" } else { "chair" });
        let category = if number % 2 == 0 { "home" } else { "garden" };
        let new = offered(&name, 100 * (number % 5), number % 4, category);
        shop.makes(new.with_status(ProductStatus::ALL[usize::try_from(number % 4).unwrap()])).await;
    }
    shop
}

/// What the list should be, by sorting and filtering everything here.
fn expected(all: &[Product], listing: &Listing) -> Vec<String> {
    let fits = |product: &&Product| {
        let folded = product.name.to_lowercase();
        listing.statuses.contains(&product.status)
            && listing.category.as_ref().is_none_or(|category| *category == product.category)
            && listing.min_price.is_none_or(|least| product.price.minor() >= least)
            && listing.max_price.is_none_or(|most| product.price.minor() <= most)
            && listing.in_stock.is_none_or(|wanted| (product.stock > 0) == wanted)
            && listing.words.iter().all(|words| {
                let of_name: Vec<&str> = folded.split(' ').collect();
                !words.is_empty()
                    && words.terms.iter().all(|term| of_name.iter().any(|word| word.starts_with(term.text())))
            })
    };
    let mut found: Vec<&Product> = all.iter().filter(fits).collect();
    found.sort_by(|one, other| {
        let by_key = match listing.sort {
            SortKey::Price => one.price.minor().cmp(&other.price.minor()),
            SortKey::Name => one.name.to_lowercase().cmp(&other.name.to_lowercase()),
            SortKey::CreatedAt => one.created_at.cmp(&other.created_at),
        };
        let ascending = by_key.then(one.id.cmp(&other.id));
        if listing.order == SortOrder::Asc { ascending } else { ascending.reverse() }
    });
    found.into_iter().map(|product| product.name.clone()).collect()
}

fn every_filter(plain: &Listing) -> Vec<Listing> {
    let with = |change: &dyn Fn(&mut Listing)| {
        let mut listing = plain.clone();
        change(&mut listing);
        listing
    };
    vec![
        plain.clone(),
        with(&|listing| listing.statuses = vec![ProductStatus::Active]),
        with(&|listing| listing.statuses = Vec::new()),
        with(&|listing| listing.category = Some(Slug::parse("home").unwrap())),
        with(&|listing| listing.min_price = Some(200)),
        with(&|listing| listing.max_price = Some(200)),
        with(&|listing| (listing.min_price, listing.max_price) = (Some(100), Some(300))),
        with(&|listing| listing.in_stock = Some(true)),
        with(&|listing| listing.in_stock = Some(false)),
        with(&|listing| listing.words = Some(Asked::of("lam 1"))),
        with(&|listing| listing.words = Some(Asked::of("%"))),
        with(&|listing| {
            listing.statuses = vec![ProductStatus::Active, ProductStatus::Draft];
            listing.category = Some(Slug::parse("garden").unwrap());
            (listing.min_price, listing.in_stock) = (Some(100), Some(true));
        }),
    ]
}

each_engine! { TABLES;

async fn every_filter_and_order_gives_the_right_pages(db: TestDatabase) {
    let shop = stocked_shop(&db).await;
    let all = shop.lists(&everything(SortKey::Name, SortOrder::Asc), &PageRequest::first(100)).await.entries;
    assert_eq!(all.len(), 24);
    for (_, sort) in SortKey::NAMES {
        for order in [SortOrder::Asc, SortOrder::Desc] {
            for listing in every_filter(&everything(sort, order)) {
                assert_eq!(shop.names(&listing, 5).await, expected(&all, &listing), "{listing:?}");
            }
        }
    }
}

async fn pages_by_number_tell_the_total(db: TestDatabase) {
    let shop = stocked_shop(&db).await;
    for listing in every_filter(&everything(SortKey::Price, SortOrder::Asc)) {
        let whole = shop.names(&listing, 100).await;
        for number in 1..=6_u32 {
            let request = PageRequest { limit: 5, position: Position::Number(number), count: false };
            let page = shop.lists(&listing, &request).await;
            let names: Vec<_> = page.entries.into_iter().map(|product| product.name).collect();
            let skipped = usize::try_from((number - 1) * 5).unwrap();
            let rest: Vec<_> = whole.iter().skip(skipped).take(5).cloned().collect();
            assert_eq!((names, page.total), (rest, u32::try_from(whole.len()).ok()), "{listing:?}");
        }
    }
}

async fn prices_limit_another_order_also_when_many_match(db: TestDatabase) {
    let shop = shop(&db);
    let new: Vec<_> = (0..1_300).map(|number| offered(&format!("P{number:04}"), number, 1, "home")).collect();
    shop.does(move |shop, tx, occasion| shop.seed_products(tx, occasion, &new)).await.unwrap();
    let mut listing = everything(SortKey::Name, SortOrder::Desc);
    listing.min_price = Some(100);
    assert_eq!(shop.names(&listing, 100).await.len(), 1_200);
    listing.max_price = Some(104);
    assert_eq!(shop.names(&listing, 2).await, ["P0104", "P0103", "P0102", "P0101", "P0100"]);
}

async fn a_cursor_holds_while_products_come_and_go(db: TestDatabase) {
    let shop = shop(&db);
    for number in [10, 20, 30, 40] {
        shop.makes(offered(&format!("P{number}"), number, 1, "home")).await;
    }
    let listing = everything(SortKey::Price, SortOrder::Asc);
    let first = shop.lists(&listing, &PageRequest::first(2)).await;
    assert_eq!(first.entries.last().unwrap().name, "P20");
    shop.makes(offered("P05", 5, 1, "home")).await;
    shop.makes(offered("P25", 25, 1, "home")).await;
    let last = first.entries[1].id;
    shop.does(move |shop, tx, occasion| shop.delete_product(tx, occasion, last, &IfMatch::default()))
        .await
        .unwrap();
    let rest = PageRequest { limit: 9, position: Position::After(first.next.unwrap()), count: false };
    let names: Vec<_> = shop.lists(&listing, &rest).await.entries.into_iter().map(|p| p.name).collect();
    assert_eq!(names, ["P25", "P30", "P40"]);
}

async fn lists_are_read_from_their_indexes(db: TestDatabase) {
    let shop = shop(&db);
    if db.engine() == Engine::Postgres {
        // Its planner weighs the size of tables, which a test's do not have; see docs/performance.md.
        return;
    }
    for (_, sort) in SortKey::NAMES {
        for order in [SortOrder::Asc, SortOrder::Desc] {
            for mut listing in every_filter(&everything(sort, order)) {
                if listing.statuses.is_empty() || listing.finds_nothing() || listing.searches_prices() {
                    continue;
                }
                listing.statuses = vec![ProductStatus::Active];
                let plan = pages::explain(&shop.database, listing.clone()).await;
                let steps = plan.join("\n");
                assert!(!steps.contains("SCAN products"), "{listing:?}: {steps}");
                if listing.words.is_none() {
                    assert!(steps.contains("USING INDEX products_"), "{listing:?}: {steps}");
                    assert!(!steps.contains("TEMP B-TREE"), "{listing:?}: {steps}");
                } else {
                    let index = if sort == SortKey::Price { "priced" } else { "product_texts" };
                    assert!(steps.contains(&format!("SCAN {index} VIRTUAL TABLE INDEX")), "{listing:?}: {steps}");
                }
            }
        }
    }
}

}
