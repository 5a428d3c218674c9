//! The JSON that chat servers expect. Texts of a site are full of signs that mean something to a server (`~mpi`,
//! `@1.2`, `%gcc`), so each goes in as text without markup where the server knows that, and fenced where not.

use serde_json::{Value, json};

use super::message::{Message, Status, clip};
use crate::site::channels::Shape;

/// The body for a server of that shape.
pub fn body(shape: Shape, message: &Message) -> Value {
    match shape {
        Shape::Json => message.json(),
        Shape::Slack => slack(message),
        Shape::Mattermost => mattermost(message),
        Shape::Teams => teams(message),
    }
}

fn colour(status: Status) -> &'static str {
    match status {
        Status::Ok | Status::Recovered => "#2eb67d",
        Status::Warning => "#ecb22e",
        Status::Failed => "#e01e5a",
        Status::Unknown => "#808080",
    }
}

/// Title with its status, unless all is well anyway.
fn heading(message: &Message) -> String {
    match message.status {
        Status::Ok | Status::Recovered => message.title.clone(),
        status => format!("{}: {}", status.name(), message.title),
    }
}

/// Incoming webhooks of Slack: a text for notifications, and blocks beside a coloured bar. A block takes 3000
/// characters, a field 2000, and a section ten fields.
fn slack(message: &Message) -> Value {
    let plain =
        |text: &str| json!({ "type": "plain_text", "text": slack_escape(&clip(text, 2900)), "emoji": false });
    let mut blocks = Vec::new();
    if !message.text.is_empty() {
        blocks.push(json!({ "type": "section", "text": plain(&message.text) }));
    }
    let fields: Vec<Value> = message
        .lines()
        .take(10)
        .map(|(name, value)| plain(&clip(&format!("{name}: {value}"), 1900)))
        .collect();
    if !fields.is_empty() {
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    if let Some(link) = &message.link {
        let text = format!("<{}>", slack_escape(&clip(link, 1900)));
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } }));
    }
    blocks.push(json!({ "type": "context", "elements": [plain(&message.origin())] }));
    json!({
        "text": slack_escape(&format!("{}: {}", message.host, heading(message))),
        "mrkdwn": false,
        "attachments": [{ "color": colour(message.status), "blocks": blocks }],
    })
}

/// The three signs that Slack gives a meaning in every text.
fn slack_escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Incoming webhooks of Mattermost: one attachment; its texts are Markdown, so they are fenced.
fn mattermost(message: &Message) -> Value {
    let fields: Vec<Value> = message
        .lines()
        .take(20)
        .map(|(name, value)| {
            let value = clip(&value.replace('`', "'"), 500);
            json!({ "short": value.chars().count() < 40, "title": name, "value": format!("`{value}`") })
        })
        .collect();
    let mut attachment = json!({
        "fallback": format!("{}: {}", message.host, heading(message)),
        "color": colour(message.status),
        "title": heading(message),
        "fields": fields,
        "footer": message.origin(),
    });
    if !message.text.is_empty() {
        // A fence within would end the fence around it.
        let text = clip(&message.text, 7000).replace("```", "'''");
        attachment["text"] = format!("```\n{text}\n```").into();
    }
    if let Some(link) = &message.link {
        attachment["title_link"] = link.as_str().into();
    }
    json!({ "attachments": [attachment] })
}

/// The webhook that a workflow of Teams offers: an adaptive card in an envelope of a message, 28 KB in all.
/// Runs of text know no Markdown, unlike its text blocks.
fn teams(message: &Message) -> Value {
    let tint = match message.status {
        Status::Ok | Status::Recovered => "Good",
        Status::Warning => "Warning",
        Status::Failed => "Attention",
        Status::Unknown => "Default",
    };
    let run = |text: &str, more: Value| {
        let mut run = json!({ "type": "TextRun", "text": text });
        for (key, value) in more.as_object().into_iter().flatten() {
            run[key] = value.clone();
        }
        run
    };
    let block = |runs: Vec<Value>, spacing: &str| json!({ "type": "RichTextBlock", "spacing": spacing, "inlines": runs });
    let bold = json!({ "weight": "Bolder", "size": "Large", "color": tint });
    let mut body = vec![block(vec![run(&heading(message), bold)], "Default")];
    let text = clip(&message.text, 6000);
    let shown = text.lines().filter(|l| !l.trim().is_empty()).take(60);
    body.extend(shown.map(|line| block(vec![run(line, json!({ "fontType": "Monospace" }))], "None")));
    let facts: Vec<Value> = message
        .lines()
        .take(20)
        .map(|(name, value)| json!({ "title": name, "value": clip(&value, 300) }))
        .collect();
    if !facts.is_empty() {
        body.push(json!({ "type": "FactSet", "facts": facts }));
    }
    body.push(block(vec![run(&message.origin(), json!({ "isSubtle": true }))], "Medium"));
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": { "width": "Full" },
        "body": body,
    });
    if let Some(link) = &message.link {
        card["actions"] = json!([{ "type": "Action.OpenUrl", "title": "Open", "url": link }]);
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Message {
        Message {
            practice: false,
            title: "stack <failed>".into(),
            text: text.into(),
            status: Status::Failed,
            facts: serde_json::Map::from_iter([("spec".into(), "hdf5@1.14~mpi %gcc".into())]),
            run: Some(7),
            host: "n1".into(),
            link: Some("https://site.org/runs/7".into()),
            urgent: false,
            time: "2026-03-01T12:00:00Z".into(),
        }
    }

    #[test]
    fn what_means_something_to_a_server_is_made_harmless() {
        let told = body(Shape::Slack, &message("a & <!channel>"));
        assert_eq!(told["text"], "n1: failed: stack &lt;failed&gt;");
        assert_eq!(told["attachments"][0]["blocks"][0]["text"]["text"], "a &amp; &lt;!channel&gt;");
        assert_eq!(told["attachments"][0]["blocks"][1]["fields"][0]["text"], "spec: hdf5@1.14~mpi %gcc");
        let told = body(Shape::Mattermost, &message("```\n@all"));
        assert_eq!(told["attachments"][0]["text"], "```\n'''\n@all\n```");
        assert_eq!(told["attachments"][0]["title_link"], "https://site.org/runs/7");
        let told = body(Shape::Teams, &message("one\n\n[two](x)"));
        let card = &told["attachments"][0]["content"];
        assert_eq!(told["type"], "message");
        assert_eq!(card["type"], "AdaptiveCard");
        assert_eq!(card["body"][2]["inlines"][0]["text"], "[two](x)");
        assert_eq!(card["actions"][0]["url"], "https://site.org/runs/7");
        assert_eq!(body(Shape::Json, &message("x"))["run"], 7);
    }

    #[test]
    fn each_shape_stays_within_what_its_server_takes() {
        let mut long = message(&"ä&\n".repeat(20_000));
        for n in 0..50 {
            long.facts.insert(format!("f{n}"), "x".repeat(5000).into());
        }
        let slack = body(Shape::Slack, &long);
        for block in slack["attachments"][0]["blocks"].as_array().unwrap() {
            assert!(block["fields"].as_array().is_none_or(|f| f.len() <= 10));
            for text in [&block["text"]["text"]].into_iter().filter_map(Value::as_str) {
                assert!(text.replace("&amp;", "&").chars().count() <= 3000);
            }
        }
        assert!(body(Shape::Mattermost, &long)["attachments"][0]["text"].as_str().unwrap().len() < 16_000);
        assert!(body(Shape::Teams, &long).to_string().len() < 28_000);
    }
}
