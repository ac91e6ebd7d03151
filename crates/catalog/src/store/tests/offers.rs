//! Offers: found for a basket, and used exactly as often as they may be.

use stoa_contracts::catalog::{BasketLine, CodeTrouble, Discounts, OfferError, OfferId};

use super::*;
use crate::offer::{MOST_AUTOMATIC, NewOffer, Offer, OfferChanges, WantedTarget, Worth};

impl Shop {
    async fn offers(&self, new: NewOffer) -> Result<Offer, CatalogError> {
        self.clock.advance(Duration::from_millis(1));
        self.does(move |shop, tx, occasion| shop.create_offer(tx, occasion, &new)).await
    }

    async fn weighs(&self, basket: Vec<(Ware, i64)>, codes: &[&str]) -> Discounts {
        let line = |(ware, pieces)| BasketLine { ware, price: Money::from_minor(1_000, usd()), pieces };
        let basket: Vec<BasketLine> = basket.into_iter().map(line).collect();
        let codes: Vec<String> = codes.iter().map(|code| (*code).to_owned()).collect();
        let (catalogue, at) = (self.catalogue.clone(), self.occasion().at);
        let read =
            move |connection: &mut Connection<'_>| catalogue.discounts(connection, at, &basket, &codes);
        self.database.read::<_, DatabaseError, _>(read).await.unwrap()
    }

    /// The names of the offers that apply, with what they take off.
    async fn applied(&self, basket: Vec<(Ware, i64)>, codes: &[&str]) -> Vec<(String, i64)> {
        let told = self.weighs(basket, codes).await;
        told.applied.into_iter().map(|applied| (applied.name, applied.discount.minor())).collect()
    }

    async fn uses(&self, offers: Vec<OfferId>) -> Result<(), OfferError> {
        self.does(move |shop, tx, occasion| shop.use_offers(tx, occasion, &offers)).await
    }

    async fn finds_offer(&self, id: OfferId) -> Offer {
        let read = move |connection: &mut Connection<'_>| crate::store::offers::find(connection, id, usd());
        self.database.read::<_, DatabaseError, _>(read).await.unwrap().unwrap()
    }
}

/// Ten percent off something, by itself.
fn tenth(name: &str, target: WantedTarget) -> NewOffer {
    NewOffer {
        name: name.into(),
        code: None,
        worth: Worth::Percent(1_000),
        target,
        starts_at: None,
        ends_at: None,
        max_uses: None,
        active: true,
    }
}

fn named(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    expected.iter().map(|(name, cents)| ((*name).to_owned(), *cents)).collect()
}

each_engine! { TABLES;

async fn offers_are_found_by_what_they_are_for(db: TestDatabase) {
    let shop = shop(&db);
    let make = |name: &str, slug: &str, parent| {
        let new = NewCategory { name: name.into(), slug: Slug::parse(slug).unwrap(), parent };
        shop.does(move |shop, tx, occasion| shop.create_category(tx, occasion, &new))
    };
    let home = make("Home", "home", None).await.unwrap().id;
    make("Lamps", "lamps", Some(home)).await.unwrap();
    let lamp = shop.makes(offered("Lamp", 1_000, 5, "lamps")).await.id;
    let cup = shop.makes(offered("Cup", 1_000, 5, "nowhere")).await.id;
    let set = shop.packs("Set", &[(Ware::Product(lamp), 1)]).await.unwrap().id;
    let basket = || vec![(Ware::Product(lamp), 1), (Ware::Product(cup), 2), (Ware::Package(set), 1)];
    assert_eq!(shop.weighs(basket(), &[]).await, Discounts::default());
    assert_eq!(shop.weighs(Vec::new(), &[]).await, Discounts::default());

    shop.offers(tenth("homely", WantedTarget::Category(CategoryName::Id(home)))).await.unwrap();
    assert_eq!(shop.applied(basket(), &[]).await, named(&[("homely", 100)]), "what stands below is in it too");
    shop.offers(tenth("cups", WantedTarget::Product(cup))).await.unwrap();
    shop.offers(tenth("sets", WantedTarget::Package(set))).await.unwrap();
    shop.offers(tenth("all", WantedTarget::Cart)).await.unwrap();
    let all = named(&[("homely", 100), ("cups", 200), ("sets", 100), ("all", 360)]);
    assert_eq!(shop.applied(basket(), &[]).await, all);
    assert_eq!(shop.applied(vec![(Ware::Product(lamp), 1)], &[]).await, named(&[("homely", 100), ("all", 90)]));
    let by_slug = tenth("by slug", WantedTarget::Category(CategoryName::of("lamps")));
    let by_slug = shop.offers(by_slug).await.unwrap();
    let by_id = tenth("by id", WantedTarget::Category(CategoryName::of(&home.to_string())));
    assert_eq!(by_slug.target.shown().id.is_some(), shop.offers(by_id).await.is_ok());
}

async fn what_an_offer_is_for_has_to_exist(db: TestDatabase) {
    let shop = shop(&db);
    for target in [
        WantedTarget::Product(shop.occasion().id()),
        WantedTarget::Package(shop.occasion().id()),
        WantedTarget::Category(CategoryName::of("nowhere")),
        WantedTarget::Category(CategoryName::Id(shop.occasion().id())),
    ] {
        let CatalogError::Refused(refusal) = shop.offers(tenth("x", target.clone())).await.unwrap_err() else {
            panic!("{target:?} does not exist")
        };
        assert_eq!(refusal.fields[0].field, "target.id");
    }
}

async fn codes_are_found_in_whatever_case_and_told_why_not(db: TestDatabase) {
    let shop = shop(&db);
    let lamp = shop.makes(offered("Lamp", 1_000, 5, "home")).await.id;
    let now = shop.occasion().at;
    let coded = |code: &str| NewOffer { code: Some(code.into()), ..tenth(code, WantedTarget::Cart) };
    shop.offers(coded("Straße")).await.unwrap();
    let taken = shop.offers(coded("straße")).await.unwrap_err();
    assert!(matches!(taken, CatalogError::OfferCodeTaken), "{taken}");
    let day = Duration::from_hours(24);
    shop.offers(NewOffer { starts_at: Some(now + day), ..coded("SOON") }).await.unwrap();
    shop.offers(NewOffer { ends_at: Some(now), ..coded("LATE") }).await.unwrap();
    shop.offers(NewOffer { active: false, ..coded("OFF") }).await.unwrap();
    let once = shop.offers(NewOffer { max_uses: Some(1), ..coded("ONCE") }).await.unwrap().id;
    shop.uses(vec![once]).await.unwrap();
    let codes = [" STRASSE", "STRAßE ", "soon", "late", "off", "once", "none"];
    let told = shop.weighs(vec![(Ware::Product(lamp), 1)], &codes).await;
    let applied: Vec<_> = told.applied.iter().map(|offer| (offer.code.as_deref(), offer.discount.minor())).collect();
    assert_eq!(applied, [(Some("Straße"), 100)]);
    let refused = [
        (" STRASSE", CodeTrouble::Unknown), ("soon", CodeTrouble::NotYet), ("late", CodeTrouble::Over),
        ("off", CodeTrouble::Unknown), ("once", CodeTrouble::UsedUp), ("none", CodeTrouble::Unknown),
    ];
    assert_eq!(told.refused, refused.map(|(code, trouble)| (code.to_owned(), trouble)));
    assert_eq!(shop.applied(vec![(Ware::Product(lamp), 1)], &[]).await, [], "a code is asked for");
    shop.clock.advance(day * 2);
    assert_eq!(shop.applied(vec![(Ware::Product(lamp), 1)], &["SOON"]).await, named(&[("SOON", 100)]));
}

async fn offers_run_in_their_time_and_as_often_as_they_may(db: TestDatabase) {
    let shop = shop(&db);
    let lamp = shop.makes(offered("Lamp", 1_000, 5, "home")).await.id;
    let basket = || vec![(Ware::Product(lamp), 1)];
    let hour = Duration::from_hours(1);
    let now = shop.occasion().at;
    let offer = NewOffer {
        starts_at: Some(now + hour), ends_at: Some(now + hour * 2), max_uses: Some(2), ..tenth("hour", WantedTarget::Cart)
    };
    let offer = shop.offers(offer).await.unwrap().id;
    let ended = |refused: OfferError| matches!(refused, OfferError::Ended(id) if id == offer);
    assert_eq!(shop.applied(basket(), &[]).await, []);
    assert!(ended(shop.uses(vec![offer]).await.unwrap_err()), "not yet");
    shop.clock.advance(hour);
    assert_eq!(shop.applied(basket(), &[]).await, named(&[("hour", 100)]));
    shop.uses(vec![offer, offer]).await.unwrap();
    assert_eq!(shop.finds_offer(offer).await.uses, 1, "each is used once by an order");
    shop.uses(vec![offer]).await.unwrap();
    assert_eq!(shop.applied(basket(), &[]).await, []);
    assert!(ended(shop.uses(vec![offer]).await.unwrap_err()), "used up");
    let gone: OfferId = shop.occasion().id();
    shop.does(move |shop, tx, occasion| shop.return_offers(tx, occasion, &[gone, offer])).await.unwrap();
    assert_eq!(shop.applied(basket(), &[]).await, named(&[("hour", 100)]));
    shop.clock.advance(hour);
    assert_eq!(shop.applied(basket(), &[]).await, []);
    assert!(ended(shop.uses(vec![offer]).await.unwrap_err()), "over");
    assert!(shop.uses(vec![gone]).await.is_err());
    let told = shop.told().await;
    assert_eq!((told["offer.created"], told["offer.updated"]), (1, 3));
}

async fn an_offer_is_changed_and_deleted(db: TestDatabase) {
    let shop = shop(&db);
    let lamp = shop.makes(offered("Lamp", 1_000, 5, "home")).await.id;
    let offer = shop.offers(NewOffer { code: Some("TEN".into()), ..tenth("ten", WantedTarget::Cart) }).await.unwrap().id;
    let change = |changes: OfferChanges| {
        shop.does(move |shop, tx, occasion| shop.update_offer(tx, occasion, offer, &changes))
    };
    let freed = change(OfferChanges { code: Some(None), ..OfferChanges::default() }).await.unwrap();
    assert_eq!((freed.code, freed.version), (None, 2));
    assert_eq!(change(OfferChanges::default()).await.unwrap().version, 2);
    let target = Some(WantedTarget::Product(lamp));
    change(OfferChanges { target, ..OfferChanges::default() }).await.unwrap();
    shop.uses(vec![offer]).await.unwrap();
    let name = Some("twenty".to_owned());
    let kept = change(OfferChanges { name, ..OfferChanges::default() }).await.unwrap();
    assert_eq!((kept.uses, kept.version), (1, 5));
    assert_eq!(shop.applied(vec![(Ware::Product(lamp), 2)], &[]).await, named(&[("twenty", 200)]));
    let delete = || shop.does(move |shop, tx, occasion| shop.delete_offer(tx, occasion, offer));
    delete().await.unwrap();
    assert!(matches!(delete().await.unwrap_err(), CatalogError::UnknownOffer));
    assert_eq!(shop.applied(vec![(Ware::Product(lamp), 2)], &[]).await, []);
}

async fn so_many_offers_apply_by_themselves_and_no_more(db: TestDatabase) {
    let shop = shop(&db);
    shop.does(move |shop, tx, occasion| {
        for _ in 0..MOST_AUTOMATIC {
            shop.create_offer(tx, occasion, &tenth("x", WantedTarget::Cart))?;
        }
        Ok::<_, CatalogError>(())
    })
    .await
    .unwrap();
    let more = tenth("more", WantedTarget::Cart);
    assert!(matches!(shop.offers(more.clone()).await.unwrap_err(), CatalogError::TooManyOffers));
    let off = shop.offers(NewOffer { active: false, ..more.clone() }).await.unwrap().id;
    let on = OfferChanges { active: Some(true), ..OfferChanges::default() };
    let switched = shop.does(move |shop, tx, occasion| shop.update_offer(tx, occasion, off, &on)).await;
    assert!(matches!(switched.unwrap_err(), CatalogError::TooManyOffers));
    shop.offers(NewOffer { code: Some("CODE".into()), ..more }).await.unwrap();
}

async fn race_of_a_hundred_for_ten_uses(db: TestDatabase) {
    let shop = shop(&db);
    let ten = shop.offers(NewOffer { max_uses: Some(10), ..tenth("ten", WantedTarget::Cart) }).await.unwrap().id;
    let free = shop.offers(tenth("free", WantedTarget::Cart)).await.unwrap().id;
    let buyers = (0..100).map(|number| {
        let shop = shop.clone();
        let offers = if number % 2 == 0 { vec![ten, free] } else { vec![free, ten] };
        tokio::spawn(async move {
            match shop.uses(offers).await {
                Ok(()) => 1,
                Err(OfferError::Ended(id)) if id == ten => 0,
                Err(other) => panic!("{other}"),
            }
        })
    });
    let mut used = 0;
    for buyer in buyers.collect::<Vec<_>>() {
        used += buyer.await.unwrap();
    }
    assert_eq!(used, 10);
    assert_eq!((shop.finds_offer(ten).await.uses, shop.finds_offer(free).await.uses), (10, 10));
    let returned = (0..4).map(|_| {
        let shop = shop.clone();
        tokio::spawn(async move {
            shop.does(move |shop, tx, occasion| shop.return_offers(tx, occasion, &[ten])).await.unwrap();
        })
    });
    for returned in returned.collect::<Vec<_>>() {
        returned.await.unwrap();
    }
    assert_eq!(shop.finds_offer(ten).await.uses, 6);
}

async fn a_shop_without_offers_looks_into_one_index(db: TestDatabase) {
    let shop = shop(&db);
    if db.engine() == Engine::Postgres {
        // Its planner weighs the size of tables, which a test's do not have.
        return;
    }
    let lamp = shop.makes(offered("Lamp", 1_000, 5, "home")).await.id;
    let at = shop.occasion().at;
    let read = move |connection: &mut Connection<'_>| {
        crate::store::offers::explain_automatic(connection, at, &[lamp.uuid().into()])
    };
    let plan = shop.database.read::<_, DatabaseError, _>(read).await.unwrap();
    assert!(!plan.is_empty());
    for step in plan.iter().filter(|step| step.contains("offers")) {
        assert!(step.contains("USING INDEX offers_automatic_idx"), "{plan:?}");
    }
}

}
