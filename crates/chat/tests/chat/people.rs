//! People whose accounts are gone.

use stoa_testing::{each_engine, json};

use crate::{direct, heard, joins, opens, room, says};

each_engine! {
    async fn what_they_said_stays_and_their_rooms_pass_on(app: TestApp) {
        let (ann, bob, admin) = (app.shopper("ann").await, app.shopper("bob").await, app.admin().await);
        let (id, alone) = (opens(&ann, "tea", "public").await, opens(&ann, "alone", "public").await);
        joins(&bob, &id).await;
        says(&ann, &id, "Remember me").await.expect(201);
        let between = direct(&ann, &bob).await.expect(201).id();
        says(&ann, &between, "And me").await.expect(201);
        admin.delete(&format!("/api/users/{}", ann.user_id())).await.expect(204);
        app.settle().await;
        let heard_there = heard(&bob, &id).await;
        let gone = json!({"id": ann.user_id(), "username": "deleted", "name": "Deleted user", "avatarUrl": null});
        assert_eq!((&heard_there[0]["content"], &heard_there[0]["sender"]), (&json!("Remember me"), &gone));
        let tea = room(&bob, &id).await;
        assert_eq!((&tea["role"], &tea["memberCount"]), (&json!("owner"), &json!(1)));
        bob.get(&format!("/api/rooms/{alone}")).await.refused(404, "ROOM_NOT_FOUND");
        assert_eq!(room(&bob, &between).await["name"], "Deleted user");
        assert_eq!(room(&bob, "general").await["memberCount"], 2);
        says(&bob, &between, "Goodbye").await.expect(201);
    }

    async fn whoever_changes_their_name_is_called_so_everywhere(app: TestApp) {
        let ann = app.shopper("ann").await;
        let id = opens(&ann, "tea", "public").await;
        says(&ann, &id, "Hello").await.expect(201);
        ann.patch("/api/users/profile", json!({"name": "Ann Other", "username": "other"})).await.expect(200);
        let sender = heard(&ann, &id).await[0]["sender"].clone();
        assert_eq!((&sender["name"], &sender["username"]), (&json!("Ann Other"), &json!("other")));
    }
}
