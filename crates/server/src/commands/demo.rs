//! The demo shop's goods: product number n is the same on every machine, however many there are.

use stoa_catalog::{NewProduct, ProductStatus, Slug};
use stoa_kernel::{Currency, Flaw, Money, Random};

/// A department: what is sold there, what it is made of.
struct Department {
    name: &'static str,
    /// Things with what they cost about, in whole units of money.
    things: [(&'static str, i64); 8],
    made_of: [&'static str; 5],
    praise: &'static str,
}

const SERIES: [&str; 12] = [
    "Alba", "Cove", "Ember", "Fjord", "Harbour", "Juniper", "Linden", "Meadow", "Nord", "Quill", "Solstice",
    "Willow",
];

const DEPARTMENTS: [Department; 12] = [
    Department {
        name: "Kitchen",
        things: [
            ("Teapot", 38),
            ("Saucepan", 64),
            ("Chopping Board", 29),
            ("Mixing Bowl", 22),
            ("Chef's Knife", 85),
            ("Salt Mill", 34),
            ("Casserole", 119),
            ("Coffee Dripper", 26),
        ],
        made_of: ["Stoneware", "Cast Iron", "Olive Wood", "Copper", "Enamel"],
        praise: "Made for kitchens in which somebody cooks.",
    },
    Department {
        name: "Lighting",
        things: [
            ("Table Lamp", 79),
            ("Pendant", 129),
            ("Floor Lamp", 169),
            ("Wall Light", 69),
            ("Reading Lamp", 59),
            ("Lantern", 45),
            ("Night Light", 24),
            ("String of Lights", 32),
        ],
        made_of: ["Brass", "Opal Glass", "Linen", "Paper", "Black Steel"],
        praise: "Warm light where it is wanted, and none where it is not.",
    },
    Department {
        name: "Furniture",
        things: [
            ("Armchair", 489),
            ("Side Table", 149),
            ("Bookshelf", 259),
            ("Dining Chair", 139),
            ("Bench", 199),
            ("Desk", 379),
            ("Stool", 89),
            ("Sideboard", 549),
        ],
        made_of: ["Oak", "Walnut", "Ash", "Rattan", "Birch"],
        praise: "Joined by hand, and easy to take apart when you move.",
    },
    Department {
        name: "Garden",
        things: [
            ("Watering Can", 36),
            ("Planter", 42),
            ("Trowel", 19),
            ("Pruning Shears", 33),
            ("Bird Feeder", 28),
            ("Fire Bowl", 139),
            ("Hammock", 98),
            ("Garden Chair", 115),
        ],
        made_of: ["Zinc", "Terracotta", "Teak", "Powder-coated", "Willow Cane"],
        praise: "Stays outside all year.",
    },
    Department {
        name: "Stationery",
        things: [
            ("Notebook", 14),
            ("Fountain Pen", 59),
            ("Pencil Case", 21),
            ("Letter Set", 18),
            ("Desk Tray", 35),
            ("Calendar", 16),
            ("Sketchbook", 23),
            ("Bookends", 39),
        ],
        made_of: ["Cloth-bound", "Recycled", "Leather", "Cork", "Cotton Paper"],
        praise: "For thoughts that deserve better than a screen.",
    },
    Department {
        name: "Bags",
        things: [
            ("Backpack", 119),
            ("Tote", 45),
            ("Weekender", 189),
            ("Messenger Bag", 99),
            ("Belt Bag", 39),
            ("Laptop Sleeve", 49),
            ("Wash Bag", 29),
            ("Wallet", 55),
        ],
        made_of: ["Canvas", "Waxed Cotton", "Leather", "Felt", "Sailcloth"],
        praise: "Carries a day, or a long one.",
    },
    Department {
        name: "Clothing",
        things: [
            ("Jumper", 89),
            ("Shirt", 65),
            ("Work Jacket", 149),
            ("Scarf", 39),
            ("Beanie", 25),
            ("Trousers", 79),
            ("T-Shirt", 29),
            ("Raincoat", 139),
        ],
        made_of: ["Merino", "Organic Cotton", "Linen", "Lambswool", "Corduroy"],
        praise: "Cut plainly, sewn well, and better after a year.",
    },
    Department {
        name: "Shoes",
        things: [
            ("Trainers", 95),
            ("Boots", 169),
            ("Sandals", 59),
            ("Loafers", 119),
            ("Slippers", 35),
            ("Clogs", 69),
            ("Hiking Shoes", 155),
            ("Rain Boots", 49),
        ],
        made_of: ["Suede", "Leather", "Natural Rubber", "Wool", "Canvas"],
        praise: "Resoled for nothing as long as we are here.",
    },
    Department {
        name: "Audio",
        things: [
            ("Headphones", 149),
            ("Speaker", 99),
            ("Turntable", 349),
            ("Radio", 79),
            ("Earphones", 69),
            ("Amplifier", 279),
            ("Microphone", 119),
            ("Record Stand", 45),
        ],
        made_of: ["Walnut", "Aluminium", "Bamboo", "Matt Black", "Fabric"],
        praise: "Repairable, with every part for sale.",
    },
    Department {
        name: "Outdoor",
        things: [
            ("Tent", 329),
            ("Sleeping Bag", 179),
            ("Flask", 32),
            ("Camping Stove", 75),
            ("Head Torch", 42),
            ("Blanket", 58),
            ("Pocket Knife", 39),
            ("Dry Bag", 27),
        ],
        made_of: ["Ripstop", "Down", "Titanium", "Recycled", "Lightweight"],
        praise: "Tried in rain that was not forecast.",
    },
    Department {
        name: "Toys",
        things: [
            ("Train Set", 69),
            ("Building Blocks", 39),
            ("Puzzle", 24),
            ("Teddy Bear", 34),
            ("Kite", 29),
            ("Memory Game", 19),
            ("Rocking Horse", 159),
            ("Doll's House", 129),
        ],
        made_of: ["Beech", "Organic Cotton", "Painted", "Maple", "Wool"],
        praise: "Safe to chew, hard to break, fun to lose.",
    },
    Department {
        name: "Bath",
        things: [
            ("Bath Towel", 35),
            ("Soap Dish", 17),
            ("Bath Mat", 29),
            ("Shaving Brush", 42),
            ("Hand Cream", 15),
            ("Mirror", 89),
            ("Laundry Basket", 65),
            ("Toothbrush Mug", 13),
        ],
        made_of: ["Waffle Cotton", "Stoneware", "Bamboo", "Brass", "Linen"],
        praise: "A quiet start to the day.",
    },
];

/// How the last digits of a price may look, in hundredths.
const ENDINGS: [i64; 4] = [0, 50, 90, 99];

/// The names of the categories.
pub(super) fn categories() -> impl Iterator<Item = &'static str> {
    DEPARTMENTS.iter().map(|department| department.name)
}

/// Product number `number`, from 0.
pub(super) fn product(number: u32, currency: Currency) -> Result<NewProduct, Flaw> {
    let [department] = pick(&DEPARTMENTS, number);
    let round = number / 12;
    // Each word is one digit of `round`, moved along by the digits below it so that neighbours differ in all of them.
    let [(thing, about)] = pick(&department.things, round);
    let [made_of] = pick(&department.made_of, round / 8 + round);
    let [series] = pick(&SERIES, round / 40 + round % 40 * 7 + number % 12);
    let edition = round / 480;
    let mut name = format!("{series} {made_of} {thing}");
    if edition > 0 {
        name = format!("{name} No. {}", edition + 1);
    }
    let random = Random::seeded(u64::from(number));
    let price = price(*about, currency, &random);
    let words = format!("{name} from our {series} series. {}", department.praise);
    let slug = Slug::of_name(department.name).ok_or(Flaw::new("NOT_A_SLUG", "This makes no slug."))?;
    let product = NewProduct::draft(&name, price, slug)?
        .described(&words)?
        .stocked(stock(&random))?
        .with_status(ProductStatus::Active);
    let reduced = random.below(8) == 0;
    Ok(match price.share(12_500).filter(|_| reduced) {
        Some(earlier) => product.reduced_from(earlier),
        None => product,
    })
}

/// One of `all`, counted round and round.
fn pick<T, const N: usize>(all: &[T; N], number: u32) -> [&T; 1] {
    let index = usize::try_from(number).unwrap_or(0) % N;
    [all.get(index).unwrap_or(&all[0])]
}

/// Between 0.7 and 1.3 times what such a thing costs, ending as prices do.
fn price(about: i64, currency: Currency, random: &Random) -> Money {
    let unit = 10_i64.pow(currency.digits());
    // Where there are no minor units, the units are small.
    let about = if unit == 1 { about * 100 } else { about };
    let part = i64::try_from(70 + random.below(61)).unwrap_or(100);
    let index = u32::try_from(random.below(4)).unwrap_or(0);
    let [ending] = pick(&ENDINGS, index);
    Money::from_minor((about * part / 100).max(1) * unit + unit * ending / 100, currency)
}

/// Some things are sold out, some nearly.
fn stock(random: &Random) -> i64 {
    let pieces = match random.below(100) {
        0..4 => 0,
        4..12 => 1 + random.below(9),
        _ => 10 + random.below(241),
    };
    i64::try_from(pieces).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn shown(number: u32) -> String {
        format!("{:?}", product(number, Currency::parse("USD").unwrap()).unwrap())
    }

    fn name(number: u32) -> String {
        shown(number).split('"').nth(1).unwrap().to_owned()
    }

    #[test]
    fn every_name_is_there_once() {
        let names: HashSet<String> = (0..20_000).map(name).collect();
        assert_eq!(names.len(), 20_000);
    }

    #[test]
    fn a_number_is_always_the_same_product() {
        assert_eq!(shown(7), shown(7));
        assert_ne!(shown(7), shown(8));
    }

    #[test]
    fn two_hundred_fill_twelve_categories_with_believable_goods() {
        let goods: Vec<String> = (0..200).map(shown).collect();
        let count = |part: &str| goods.iter().filter(|product| product.contains(part)).count();
        assert_eq!(categories().count(), 12);
        for category in categories() {
            let slug = format!("Slug({:?})", category.to_lowercase());
            assert!((16..=17).contains(&count(&slug)), "{slug}");
        }
        assert!((1..30).contains(&count("stock: 0,")), "{} are sold out", count("stock: 0,"));
        assert!((5..60).contains(&count("compare_at_price: Some")));
        assert_eq!(count("Active"), 200);
    }

    #[test]
    fn prices_fit_every_currency() {
        for code in ["USD", "JPY", "KWD"] {
            let currency = Currency::parse(code).unwrap();
            assert!((0..500).all(|number| product(number, currency).is_ok()), "{code}");
        }
    }
}
