//! Somebody sends files, shows them, and takes them back.

use stoa_testing::{Form, json};

use super::{
    super::recorder::{Person, Recorder, Told},
    NOBODY,
};

/// The media type of [`form`].
pub(super) const FORM: &str = "multipart/form-data; boundary=between-two-parts";

/// A file to send: name, media type, content.
type Sample = (&'static str, &'static str, &'static str);
pub(super) const PDF: Sample = ("menu.pdf", "application/pdf", "%PDF-1.4 and so on");
pub(super) const TXT: Sample = ("note.txt", "text/plain", "Water the roses.");
const PROGRAM: Sample = ("roses.exe", "application/octet-stream", "MZ\u{1}\u{2}\u{3}\u{0}\u{0}");

/// A form with files.
pub(super) fn form(files: &[Sample]) -> String {
    form_beside(&[], files)
}

/// The same with other fields before them.
fn form_beside(fields: &[(&str, &str)], files: &[Sample]) -> String {
    let form = fields.iter().fold(Form::new(), |form, (name, text)| form.text(name, text));
    let form =
        files.iter().fold(form, |form, (name, kind, text)| form.file("file", name, kind, text.as_bytes()));
    String::from_utf8(form.body()).unwrap()
}

pub(super) async fn tell(shop: &Recorder<'_>, admin: &Person<'_>) {
    let (fay, gil) = (shop.shopper("fay").await, shop.shopper("gil").await);
    fay.post("/api/rooms", json!({"slug": "photos", "name": "Photos", "kind": "public"}), 201).await;
    they_send(&fay, &gil).await;
    they_show(&fay).await;
    they_send_past_the_server(&fay).await;
    they_are_seen(admin, &fay).await;
}

async fn sends(who: &Person<'_>, path: &str, form: String, status: u16) -> Told {
    who.call("POST", path, Some((FORM, form)), Some(status)).await
}

async fn they_send(fay: &Person<'_>, gil: &Person<'_>) {
    let (one, several, same) = ("/api/files/upload", "/api/files/upload/multiple", "/api/files");
    let long = "x".repeat(12 * 1024 * 1024);
    for path in [one, several, same] {
        sends(fay, path, form(&[TXT]), 201).await;
        sends(fay, path, form(&[PROGRAM]), 415).await;
        sends(fay, path, form(&[]), 422).await;
        sends(fay, path, form_beside(&[("room", "no-such-room")], &[TXT]), 404).await;
        sends(gil, path, form_beside(&[("room", "photos")], &[TXT]), 403).await;
        fay.call("POST", path, Some(("multipart/form-data", form(&[TXT]))), Some(400)).await;
        let too_long = form(&[TXT]).replace("Water", &long);
        sends(fay, path, too_long, 413).await;
    }
    sends(fay, one, form_beside(&[("room", "photos"), ("clientId", "1")], &[PDF]), 201).await;
    sends(fay, one, form_beside(&[("room", "photos"), ("clientId", "1")], &[PDF]), 409).await;
}

async fn they_show(fay: &Person<'_>) {
    let private =
        sends(fay, "/api/files/upload", form_beside(&[("visibility", "private")], &[TXT]), 201).await.id();
    let file = format!("/api/files/{private}");
    fay.get_twice(&file).await;
    fay.get(&format!("{file}/download"), 200).await;
    fay.post("/api/messages", json!({"room": "photos", "content": "Look", "fileIds": [private]}), 201).await;
    for list in ["/api/files", "/api/files/media/photos"] {
        fay.get(list, 200).await;
        fay.get(&format!("{list}?page=1"), 200).await;
        fay.get(&format!("{list}?limit=1&total=true"), 200).await;
        fay.get(&format!("{list}?type=music"), 400).await;
    }
    fay.get("/api/files/stats/photos", 200).await;
    fay.delete(&file, 204).await;
}

async fn they_send_past_the_server(fay: &Person<'_>) {
    let announced =
        |size: usize, kind: &str| json!({"filename": "menu.pdf", "contentType": kind, "size": size});
    let presign = "/api/files/presign";
    let upload = fay.post(presign, announced(PDF.2.len(), PDF.1), 201).await;
    fay.post(presign, announced(11 * 1024 * 1024, PDF.1), 413).await;
    fay.post(presign, announced(10, "text/html"), 415).await;
    fay.post(presign, announced(0, PDF.1), 422).await;
    let complete = |id: &str| format!("/api/files/{id}/complete");
    fay.act(&complete(NOBODY), 404).await;
    fay.act(&complete(&upload.id()), 409).await;
    fay.puts_at(&upload.text("url"), PDF.1, PDF.2).await;
    fay.act(&complete(&upload.id()), 201).await;
    let program = fay.post(presign, announced(PROGRAM.2.len(), PDF.1), 201).await;
    fay.puts_at(&program.text("url"), PDF.1, PROGRAM.2).await;
    fay.act(&complete(&program.id()), 415).await;
    let torn = "GIF89a\u{1}";
    let announced = json!({"filename": "torn.gif", "contentType": "image/gif", "size": torn.len()});
    let picture = fay.post(presign, announced, 201).await;
    fay.puts_at(&picture.text("url"), "image/gif", torn).await;
    fay.act(&complete(&picture.id()), 422).await;
}

async fn they_are_seen(admin: &Person<'_>, fay: &Person<'_>) {
    let avatar = "/api/users/avatar";
    fay.sends_picture(avatar).await;
    sends(fay, avatar, form(&[TXT]), 415).await;
    sends(fay, avatar, form(&[]), 422).await;
    let too_long = form(&[TXT]).replace("Water", &"x".repeat(12 * 1024 * 1024));
    sends(fay, avatar, too_long, 413).await;
    fay.call("POST", avatar, Some(("multipart/form-data", String::new())), Some(400)).await;
    let product = super::catalogue::product(admin, "Roses", 3).await;
    admin.put(&format!("/api/products/{product}/images"), json!({"images": [NOBODY]}), 422).await;
}
