//! What must hold in the books, whatever was killed and when.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::{
    books::{Books, Charge, OrderRow, order_of},
    shoppers::Told,
};

impl Books {
    /// Everything that is wrong, in words; `seeded` is the stock there was at first, `told` what buyers were told.
    pub(crate) fn flaws(&self, seeded: &HashMap<Uuid, i64>, told: &[Told]) -> Vec<String> {
        let mut flaws = self.leftovers.clone();
        self.check_what_was_told(told, &mut flaws);
        self.check_events(&mut flaws);
        self.check_stock(seeded, &mut flaws);
        self.check_money(&mut flaws);
        self.check_mails(told, &mut flaws);
        flaws
    }

    /// Every order that was told of is there as it was told, and there is no other that counts.
    fn check_what_was_told(&self, told: &[Told], flaws: &mut Vec<String>) {
        let mut times: HashMap<Uuid, usize> = HashMap::new();
        for told in told {
            *times.entry(told.id).or_default() += 1;
            match self.orders.get(&told.id) {
                None => flaws.push(format!("acknowledged and lost: {told:?}")),
                Some(order) if !order.is_as(told) => {
                    flaws.push(format!("acknowledged {told:?}, kept {order:?}"));
                }
                Some(_) => {}
            }
        }
        for (id, order) in &self.orders {
            let expected = usize::from(order.status != "cancelled");
            let times = times.get(id).copied().unwrap_or(0);
            if times < expected || times > 1 {
                flaws.push(format!("order {id} answers {times} purchases: {order:?}"));
            }
        }
    }

    /// Positions are dense, versions of an order never go back, and events and orders tell the same story.
    fn check_events(&self, flaws: &mut Vec<String>) {
        let mut versions: HashMap<&str, i64> = HashMap::new();
        let mut counted: BTreeMap<(&str, Uuid), usize> = BTreeMap::new();
        for (event, pos) in self.events.iter().zip(1..) {
            if event.pos != Some(pos) {
                flaws.push(format!("at place {pos} of the log: {event:?}"));
                break;
            }
        }
        for event in &self.events {
            *counted.entry((&event.kind, order_of(&event.aggregate))).or_default() += 1;
            let last = versions.insert(&event.aggregate, event.version);
            if event.aggregate.starts_with("order:") && last.is_some_and(|last| last > event.version) {
                flaws.push(format!("the log goes back at {event:?}"));
            }
        }
        for (id, order) in &self.orders {
            let mut expect = |kind, times: usize| {
                let found = counted.remove(&(kind, *id)).unwrap_or(0);
                if found != times {
                    flaws.push(format!("order {id} has {found} events {kind}, not {times}: {order:?}"));
                }
            };
            expect("order.placed", 1);
            expect("order.cancelled", usize::from(order.status == "cancelled"));
            expect("payment.refunded", order.returned.1);
        }
        let orphans = ["order.placed", "order.cancelled", "payment.refunded"];
        flaws.extend(
            counted
                .into_keys()
                .filter(|(kind, _)| orphans.contains(kind))
                .map(|key| format!("orphan: {key:?}")),
        );
    }

    /// What is gone from the shelves is in orders that count, piece by piece.
    fn check_stock(&self, seeded: &HashMap<Uuid, i64>, flaws: &mut Vec<String>) {
        let mut expected = seeded.clone();
        for order in self.orders.values().filter(|order| order.status != "cancelled") {
            for (product, quantity) in &order.items {
                *expected.entry(*product).or_default() -= quantity;
            }
        }
        for (product, expected) in expected {
            let (stock, moved) = (self.stock.get(&product), self.movements.get(&product));
            if stock != Some(&expected) || moved != Some(&expected) {
                flaws.push(format!("stock of {product}: {stock:?}, by movements {moved:?}, not {expected}"));
            }
        }
    }

    /// The provider holds exactly the price of an order that counts as paid, and nothing of any other.
    fn check_money(&self, flaws: &mut Vec<String>) {
        let mut charges: HashMap<Uuid, Vec<&Charge>> = HashMap::new();
        for charge in &self.charges {
            charges.entry(charge.order).or_default().push(charge);
        }
        for (id, order) in &self.orders {
            if !order.is_settled() {
                flaws.push(format!("unsettled: {id} {order:?}"));
            }
            let charges = charges.remove(id).unwrap_or_default();
            let captured = charges.iter().filter(|charge| charge.state == "captured");
            let (taken, returned) =
                captured.fold((0, 0), |sum, charge| (sum.0 + charge.amount, sum.1 + charge.refunded));
            let kept = match order.payment_status.as_str() {
                "captured" | "partially_refunded" | "refunded" => order.total - order.returned.0,
                _ => 0,
            };
            let refunds = self.refunds.get(id).copied().unwrap_or(0);
            let several = charges.iter().filter(|charge| charge.state == "captured").count() > 1;
            if several || taken - returned != kept || refunds != returned || returned != order.returned.0 {
                flaws.push(format!("money of {id}: {charges:?}, refunds of {refunds}, for {order:?}"));
            }
        }
        flaws.extend(charges.into_values().map(|charges| format!("charged for no order: {charges:?}")));
    }

    /// Whoever's order was confirmed was told so by one mail; of a cancellation by one at most.
    fn check_mails(&self, told: &[Told], flaws: &mut Vec<String>) {
        let mut sent: HashMap<&str, usize> = HashMap::new();
        for subject in &self.subjects {
            *sent.entry(subject).or_default() += 1;
        }
        let called_off: HashSet<Uuid> =
            told.iter().filter(|told| told.cancelled).map(|told| told.id).collect();
        for (id, order) in &self.orders {
            let number = format!("STOA-{:06}", order.number);
            let times = |subject: String| sent.get(subject.as_str()).copied().unwrap_or(0);
            let confirmations = times(format!("Thank you for your order {number}"));
            if order.confirmed > 1 || confirmations != order.confirmed {
                flaws.push(format!("{confirmations} confirmations of {id}: {order:?}"));
            }
            let cancellations = times(format!("Your order {number} was cancelled"));
            let wanted = if called_off.contains(id) { 1..=1 } else { 0..=1 };
            if !wanted.contains(&cancellations) {
                flaws.push(format!("{cancellations} mails of the cancellation of {id}: {order:?}"));
            }
        }
    }
}

impl OrderRow {
    /// Whether order and payment have come to an end that is one.
    fn is_settled(&self) -> bool {
        let ends = match (self.status.as_str(), self.payment_status.as_str()) {
            ("confirmed", "captured" | "partially_refunded" | "refunded") => ["captured"].as_slice(),
            ("cancelled", "refunded") => &["captured"],
            ("cancelled", "failed") => &["declined", "void"],
            _ => &[],
        };
        ends.contains(&self.payment.as_str()) && !self.due
    }

    fn is_as(&self, told: &Told) -> bool {
        let ended = match (told.cancelled, told.paid) {
            (true, _) => self.status == "cancelled",
            (false, true) => self.status == "confirmed" && self.payment == "captured",
            (false, false) => self.status == "confirmed" || self.status == "cancelled",
        };
        ended && self.total == told.total && self.items == told.items
    }
}

/// Each kind of damage must be noticed, or the tests that look for none say nothing.
mod tests {
    use super::*;
    use crate::crash::books::Entry;

    const PRODUCT: Uuid = Uuid::from_u128(1);
    const PAID: Uuid = Uuid::from_u128(2);
    const RETURNED: Uuid = Uuid::from_u128(3);

    type Damage = (&'static str, fn(&mut Books));

    fn order(number: i64, status: &str, payment: &str) -> OrderRow {
        OrderRow {
            number,
            status: status.into(),
            payment_status: payment.into(),
            total: 1_500,
            items: vec![(PRODUCT, 2)],
            confirmed: 1,
            payment: "captured".into(),
            returned: if payment == "refunded" { (1_500, 1) } else { (0, 0) },
            due: false,
        }
    }

    fn charge(order: Uuid, refunded: i64) -> Charge {
        Charge { order, amount: 1_500, state: "captured".into(), refunded }
    }

    /// One order that is paid and one that was called off.
    fn sound() -> Books {
        let entry = |pos, kind: &str, order, version| Entry {
            pos: Some(pos),
            kind: kind.into(),
            aggregate: format!("order:{order}"),
            version,
        };
        Books {
            orders: [
                (PAID, order(1, "confirmed", "captured")),
                (RETURNED, order(2, "cancelled", "refunded")),
            ]
            .into(),
            stock: [(PRODUCT, 8)].into(),
            movements: [(PRODUCT, 8)].into(),
            charges: vec![charge(PAID, 0), charge(RETURNED, 1_500)],
            refunds: [(RETURNED, 1_500)].into(),
            events: vec![
                entry(1, "order.placed", PAID, 1),
                entry(2, "order.placed", RETURNED, 1),
                entry(3, "order.cancelled", RETURNED, 3),
                entry(4, "payment.refunded", RETURNED, 4),
            ],
            subjects: [
                "Thank you for your order STOA-000001",
                "Thank you for your order STOA-000002",
                "Your order STOA-000002 was cancelled",
            ]
            .map(str::to_owned)
            .into(),
            leftovers: Vec::new(),
        }
    }

    fn told(id: Uuid, cancelled: bool) -> Told {
        Told { id, total: 1_500, items: vec![(PRODUCT, 2)], paid: true, cancelled }
    }

    #[test]
    fn sound_books_have_no_flaw_and_each_damage_is_noticed() {
        let told = [told(PAID, false), told(RETURNED, true)];
        let flaws = |books: &Books| books.flaws(&[(PRODUCT, 10)].into(), &told);
        assert_eq!(flaws(&sound()), [""; 0]);
        let damages: &[Damage] = &[
            ("an order is lost", |books| drop(books.orders.remove(&PAID))),
            ("an order nobody asked for", |books| {
                books.orders.insert(Uuid::max(), order(3, "confirmed", "captured"));
            }),
            ("another total", |books| books.orders.get_mut(&PAID).unwrap().total = 1_499),
            ("other items", |books| books.orders.get_mut(&PAID).unwrap().items[0].1 = 1),
            ("a paid order is cancelled", |books| {
                *books.orders.get_mut(&PAID).unwrap() = order(1, "cancelled", "refunded");
            }),
            ("a payment between two steps", |books| {
                books.orders.get_mut(&PAID).unwrap().payment = "charging".into();
            }),
            ("a payment the sweep waits for", |books| books.orders.get_mut(&PAID).unwrap().due = true),
            ("an event is lost", |books| drop(books.events.pop())),
            ("an event is doubled", |books| {
                let last = books.events[3].clone();
                books.events.push(Entry { pos: Some(5), ..last });
            }),
            ("an event without its place", |books| books.events[3].pos = None),
            ("a hole in the log", |books| books.events[3].pos = Some(5)),
            ("versions out of order", |books| books.events[2].version = 5),
            ("an event of no order", |books| books.events[0].aggregate = format!("order:{}", Uuid::max())),
            ("stock is lost", |books| *books.stock.get_mut(&PRODUCT).unwrap() = 7),
            ("a movement is lost", |books| *books.movements.get_mut(&PRODUCT).unwrap() = 9),
            ("a double charge", |books| books.charges.push(charge(PAID, 0))),
            ("no charge", |books| drop(books.charges.remove(0))),
            ("a charge for no order", |books| books.charges.push(charge(Uuid::max(), 0))),
            ("a refund is lost", |books| books.refunds.clear()),
            ("money is not given back", |books| books.charges[1].refunded = 0),
            ("a mail is lost", |books| drop(books.subjects.remove(0))),
            ("a mail is doubled", |books| books.subjects.push(books.subjects[1].clone())),
            ("a cancellation is not told", |books| drop(books.subjects.pop())),
            ("a job is left", |books| books.leftovers.push("job".into())),
        ];
        for (name, damage) in damages {
            let mut books = sound();
            damage(&mut books);
            assert!(!flaws(&books).is_empty(), "{name}: not noticed");
        }
    }
}
