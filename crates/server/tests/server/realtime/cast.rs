//! Who plays, and with what: made over REST before the clients begin.

use stoa_testing::{Client, PASSWORD, Value, at_once, json};

use crate::node::Home;

/// So many sign up at the same time.
const AT_ONCE: usize = 8;

/// Ada and Bob, an administrator, a product, and an order of Ada's that is paid.
pub(super) async fn of_two(home: &Home) -> Value {
    let (ada, bob) = (register(home.anon(), "ada").await, register(home.anon(), "bob").await);
    let admin = home.admin().await;
    let tea = json!({
        "name": "Tea", "description": "Leaves", "price": 4.35, "stock": 100, "category": "tea", "status": "ACTIVE",
    });
    let product = admin.post("/api/products", tea).await.expect(201).id();
    let order = buy(&ada, &product).await;
    json!({"people": [told(&ada), told(&bob), told(&admin)], "product": product, "order": order})
}

/// Many people, and the rooms that they are to open.
pub(super) async fn of_many(home: &Home, people: usize, rooms: usize) -> Value {
    let mut crowd = Vec::new();
    let names: Vec<String> = (0..people).map(|number| format!("survivor{number}")).collect();
    for some in names.chunks(AT_ONCE) {
        let registering = some.iter().cloned().map(|name| {
            let anon = home.anon();
            async move { told(&register(anon, &name).await) }
        });
        crowd.extend(at_once(registering).await);
    }
    let rooms: Vec<String> = (0..rooms).map(|number| format!("refuge-{number}")).collect();
    json!({"people": crowd, "rooms": rooms})
}

async fn register(anon: Client, name: &str) -> Client {
    let body = json!({"email": format!("{name}@example.com"), "password": PASSWORD, "name": name});
    let session = anon.post("/api/auth/register", body).await.expect(201).body;
    anon.signed_in(session)
}

async fn buy(buyer: &Client, product: &str) -> String {
    let item = json!({"productId": product, "quantity": 1});
    buyer.post("/api/cart/items", item).await.expect(200);
    let address = json!({
        "fullName": "Ada King", "street": "12 St James Square", "city": "London", "state": "",
        "zipCode": "SW1Y 4JH", "country": "GB", "phone": "+44 20 7946 0000",
    });
    let order = json!({"shippingAddress": address, "paymentMethod": "pm_card_visa"});
    buyer.post("/api/orders", order).await.expect(201).id()
}

fn told(client: &Client) -> Value {
    let user = &client.session["user"];
    json!({"id": user["id"], "username": user["username"], "token": client.session["accessToken"]})
}
