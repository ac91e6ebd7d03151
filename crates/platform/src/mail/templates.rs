//! Mail texts with places to fill in, checked when they are loaded.

use minijinja::{
    AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value, escape_formatter, value::ValueKind,
};
use serde::Serialize;

use super::MailError;

/// The template of a name and a subject whose texts lie beside the caller's file, in `templates/<name>.html` and
/// `templates/<name>.txt`, and what it is shown with in `templates/<name>.json`.
#[macro_export]
macro_rules! mail_template {
    ($name:literal, $subject:literal) => {
        $crate::mail::Template {
            name: $name,
            subject: $subject,
            html: include_str!(concat!("templates/", $name, ".html")),
            text: include_str!(concat!("templates/", $name, ".txt")),
            sample: include_str!(concat!("templates/", $name, ".json")),
        }
    };
}

/// The texts of one kind of mail, in the syntax of Jinja.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    /// What it is called by, such as `order_confirmation`.
    pub name: &'static str,
    /// One line.
    pub subject: &'static str,
    /// The HTML body; what is filled in is escaped.
    pub html: &'static str,
    /// The plain body, for those who read no HTML.
    pub text: &'static str,
    /// What to fill in to show it, as a JSON object.
    pub sample: &'static str,
}

/// A mail's texts with everything filled in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Rendered {
    /// One line without control characters.
    pub subject: String,
    /// The HTML body.
    pub html: String,
    /// The plain body.
    pub text: String,
}

/// A money amount of ours arrives as the map that `serde_json` makes of a raw number.
const RAW_NUMBER: &str = "$serde_json::private::RawValue";

pub(super) struct Templates {
    environment: Environment<'static>,
    /// By name.
    all: Vec<Template>,
}

impl Templates {
    pub(super) fn load(templates: &[Template]) -> Result<Self, MailError> {
        let mut environment = Environment::new();
        // A misspelt place stops the mail instead of leaving a hole in it; asking whether something is there is fine.
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_auto_escape_callback(|part| {
            if let Some((_, "html")) = part.rsplit_once('.') { AutoEscape::Html } else { AutoEscape::None }
        });
        environment.set_formatter(|out, state, value| match raw_number(value) {
            Some(number) => escape_formatter(out, state, &number),
            None => escape_formatter(out, state, value),
        });
        for Template { name, subject, html, text, .. } in templates {
            for (part, source) in [("subject", subject), ("html", html), ("text", text)] {
                environment
                    .add_template_owned(format!("{name}.{part}"), *source)
                    .map_err(|source| MailError::Template { name: (*name).to_owned(), source })?;
            }
        }
        let mut all = templates.to_vec();
        all.sort_by_key(|template| template.name);
        Ok(Self { environment, all })
    }

    pub(super) fn all(&self) -> &[Template] {
        &self.all
    }

    /// A template filled with its sample; `None` when there is none of this name.
    pub(super) fn sample(&self, name: &str) -> Option<Result<Rendered, MailError>> {
        let template = self.all.iter().find(|template| template.name == name)?;
        Some(match serde_json::from_str::<serde_json::Value>(template.sample) {
            Ok(sample) => self.render(name, sample),
            Err(error) => Err(MailError::Template {
                name: name.to_owned(),
                source: minijinja::Error::new(ErrorKind::CannotDeserialize, error.to_string()),
            }),
        })
    }

    pub(super) fn render(&self, name: &str, context: impl Serialize) -> Result<Rendered, MailError> {
        let context = Value::from(minijinja::value::Serde(&context));
        let part = |part| self.part(name, part, &context);
        Ok(Rendered { subject: one_line(&part("subject")?), html: part("html")?, text: part("text")? })
    }

    fn part(&self, name: &str, part: &str, context: &Value) -> Result<String, MailError> {
        self.environment
            .get_template(&format!("{name}.{part}"))
            .and_then(|template| template.render(context))
            .map_err(|source| match source.kind() {
                ErrorKind::TemplateNotFound => MailError::UnknownTemplate(name.to_owned()),
                _ => MailError::Template { name: name.to_owned(), source },
            })
    }
}

fn raw_number(value: &Value) -> Option<Value> {
    if value.kind() != ValueKind::Map {
        return None;
    }
    value.get_attr(RAW_NUMBER).ok().filter(|number| !number.is_undefined())
}

/// Whatever a value brought along, a subject is one line.
fn one_line(subject: &str) -> String {
    let printable = subject.replace(char::is_control, " ");
    printable.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use stoa_kernel::{Currency, Money};

    use super::*;

    const HELLO: Template = Template {
        name: "hello",
        subject: "Hello {{ name }}",
        html: "<p>Hello {{ name }}</p>{% if code %}<b>{{ code }}</b>{% endif %}",
        text: "Hello {{ name }}\n",
        sample: r#"{"name": "Ada"}"#,
    };

    fn render(template: Template, context: impl Serialize) -> Result<Rendered, MailError> {
        Templates::load(&[template])?.render(template.name, context)
    }

    #[test]
    fn escapes_in_html_alone() {
        let rendered = render(HELLO, json!({ "name": "<b>Bob & Ann</b>" })).unwrap();
        assert_eq!(rendered.html, "<p>Hello &lt;b&gt;Bob &amp; Ann&lt;&#x2f;b&gt;</p>");
        assert_eq!(rendered.text, "Hello <b>Bob & Ann</b>");
        assert_eq!(rendered.subject, "Hello <b>Bob & Ann</b>");
    }

    #[test]
    fn a_value_cannot_break_the_subject_line() {
        let name = "Bob\r\nBcc: eve@example.com\u{2028}\u{85}\0 !";
        let rendered = render(HELLO, json!({ "name": name })).unwrap();
        assert_eq!(rendered.subject, "Hello Bob Bcc: eve@example.com !");
    }

    #[test]
    fn a_value_is_never_taken_for_a_template() {
        let rendered = render(HELLO, json!({ "name": "{{ code }}{% raw %}" })).unwrap();
        assert_eq!(rendered.text, "Hello {{ code }}{% raw %}");
    }

    #[test]
    fn a_missing_value_stops_the_mail() {
        let error = render(HELLO, json!({ "nmae": "Bob" })).unwrap_err();
        assert!(matches!(error, MailError::Template { name, .. } if name == "hello"));
    }

    #[test]
    fn a_broken_template_is_found_at_loading() {
        let broken = Template { html: "{% if name %}", ..HELLO };
        assert!(matches!(Templates::load(&[broken]), Err(MailError::Template { .. })));
    }

    #[test]
    fn a_sample_fills_its_template() {
        let templates = Templates::load(&[HELLO]).unwrap();
        assert_eq!(templates.sample("hello").unwrap().unwrap().text, "Hello Ada");
        assert!(templates.sample("goodbye").is_none());
        let broken = Templates::load(&[Template { sample: "{", ..HELLO }]).unwrap();
        assert!(matches!(broken.sample("hello").unwrap(), Err(MailError::Template { .. })));
    }

    #[test]
    fn an_unknown_name_is_said_to_be_unknown() {
        let templates = Templates::load(&[HELLO]).unwrap();
        let error = templates.render("goodbye", ()).unwrap_err();
        assert!(matches!(error, MailError::UnknownTemplate(name) if name == "goodbye"));
    }

    #[test]
    fn money_keeps_its_digits() {
        #[derive(Serialize)]
        struct Order {
            total: Money,
        }
        let template = Template { subject: "{{ total }}", html: "{{ total }}", text: "{{ total }}", ..HELLO };
        let rendered = render(template, Order { total: dollars(2_000) }).unwrap();
        let twenty = "20.00".to_owned();
        assert_eq!(rendered, Rendered { subject: twenty.clone(), html: twenty.clone(), text: twenty });
    }

    fn dollars(cents: i64) -> Money {
        Money::from_minor(cents, Currency::parse("USD").unwrap())
    }
}
