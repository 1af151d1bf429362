//! The table and its description agree.

use super::methods::PARAMS;
use super::*;

#[test]
fn methods_and_parameters_are_there_once_in_order() {
    let names: Vec<&str> = TABLE.iter().map(|spec| spec.name).collect();
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    let params: Vec<&str> = PARAMS.iter().map(|param| param.name).collect();
    assert!(params.is_sorted_by(|a, b| a < b), "{params:?}");
    for spec in TABLE {
        assert_eq!(spec.params.last(), Some(&"height"), "{}", spec.name);
        assert!(spec.params.iter().all(|name| params.contains(name)), "{}", spec.name);
    }
}

#[test]
fn the_description_names_every_method_parameter_and_message() {
    let document = openrpc::document(&messages());
    let described = document["methods"].as_array().unwrap();
    let of = |name: &str| described.iter().find(|method| method["name"] == name).unwrap();
    assert_eq!(described.len(), TABLE.len() + 1, "all of the table, and the status");
    for spec in TABLE {
        let params = of(spec.name)["params"].as_array().unwrap();
        let names: Vec<&str> = params.iter().map(|param| param["name"].as_str().unwrap()).collect();
        assert_eq!(names, spec.params);
        let schema = &document["components"]["schemas"][spec.message];
        assert!(schema["properties"].is_object(), "{}: {schema}", spec.message);
    }
    // Every reference leads somewhere.
    let text = document.to_string();
    for (at, found) in text.match_indices("#/components/schemas/") {
        let name = text[at + found.len()..].split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
}

#[test]
fn comments_of_the_messages_are_descriptions() {
    let document = openrpc::document(&messages());
    let key = &document["components"]["schemas"]["KeyRecord"];
    assert!(key["description"].as_str().unwrap().contains("at most one account"), "{key}");
    let until = &key["properties"]["until_time_s"];
    assert!(until["description"].as_str().unwrap().starts_with("Last second"), "{until}");
    assert_eq!(until["pattern"], "^[0-9]+$");
}

#[test]
fn every_value_of_the_state_can_be_asked_for() {
    // Parts of indexes, which a client does not need to believe an answer.
    let inner = ["QueueEnds", "QueueItem", "RefBucket", "RefDir", "Tick"];
    let pool = messages();
    let file = pool.get_file_by_name("guts/v1/state.proto").unwrap();
    let mut asked = 0;
    for message in file.messages() {
        let about = openrpc::comment(&message, message.path());
        if about.starts_with("keys::") && !inner.contains(&message.name()) {
            let is_there = TABLE.iter().any(|spec| spec.message == message.name());
            assert!(is_there, "no method answers with {}: {about}", message.name());
            asked += 1;
        }
    }
    assert!(asked > 20, "{asked}");
}
