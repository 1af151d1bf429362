//! Settings: what wins, and what is refused.

use super::*;

fn given(variables: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
    let home = tempfile::TempDir::new().unwrap();
    fs::write(Config::file(home.path()), "name = \"one\"\nengine_rpc = \"http://h:1\"\n").unwrap();
    let variables = [
        ("GUTS_APP_NAME", "two"),
        ("GUTS_APP_GATEWAYS", "http://a, http://b,"),
        ("GUTS_APP_GATEWAY", "127.0.0.1:9"),
        ("GUTS_APP_ALLOW_PRIVATE_GATEWAYS", "true"),
        ("GUTS_APP_HOME", "/elsewhere"),
        ("GUTS_ENGINE_NAME", "another program's"),
    ];
    let config = Config::load(home.path(), given(&variables)).unwrap();
    assert_eq!(config.name, "two");
    assert_eq!(config.engine_rpc, "http://h:1");
    assert_eq!(config.gateways, ["http://a", "http://b"]);
    assert!(config.allow_private_gateways && !Config::default().allow_private_gateways);
    assert_eq!(config.public_url, "http://127.0.0.1:9");
    assert_eq!(config.public_rpc, "http://h:1");
    assert_eq!(config.data, home.path().join("data"));
    assert_eq!(Config::parse(&config.to_toml()).unwrap(), config);
}

#[test]
fn a_gateway_on_a_port_of_the_systems_choice_is_reached_there() {
    let home = tempfile::TempDir::new().unwrap();
    fs::write(Config::file(home.path()), "gateway = \"127.0.0.1:0\"").unwrap();
    let config = Config::load(home.path(), given(&[])).unwrap();
    assert_eq!(config.public_url, "", "nobody knows yet");
    let listening = config.listening(SocketAddr::from(([127, 0, 0, 1], 9)));
    assert_eq!(listening.public_url, "http://127.0.0.1:9");
    let known = Config { public_url: "https://guts.example".into(), ..config };
    assert_eq!(known.listening(listening.gateway).public_url, "https://guts.example");
}

#[test]
fn an_unknown_key_is_refused_and_named() {
    let error = Config::parse("gatway = \"127.0.0.1:1\"").unwrap_err().to_string();
    assert!(error.contains("gatway"), "{error}");
}

#[test]
fn a_wrong_variable_is_named() {
    let home = tempfile::TempDir::new().unwrap();
    fs::write(Config::file(home.path()), "").unwrap();
    for wrong in [
        ("GUTS_APP_GATEWAY", "nowhere"),
        ("GUTS_APP_GATWAY", "127.0.0.1:9"),
        ("GUTS_APP_KEEP_HEIGHTS", "all"),
        ("GUTS_APP_ALLOW_PRIVATE_GATEWAYS", "yes"),
    ] {
        let error = Config::load(home.path(), given(&[wrong])).unwrap_err().to_string();
        assert!(error.contains(wrong.0), "{error}");
    }
}

#[test]
fn a_value_that_cannot_be_used_is_refused_with_the_rule() {
    let home = tempfile::TempDir::new().unwrap();
    for (text, rule) in [
        ("log_format = \"xml\"", "log_format: \"xml\" is neither plain nor json"),
        ("connections_max = 0", "connections_max: nobody could connect"),
        ("keep_heights = 1", "keep_heights: 1 are too few, at least 10 are needed; 0 keeps all"),
        ("keep_heights = 9", "keep_heights: 9 are too few"),
        ("address_share_percent = 0", "address_share_percent: 0 is not within 1 and 100"),
        ("address_share_percent = 101", "address_share_percent: 101 is not within"),
    ] {
        fs::write(Config::file(home.path()), text).unwrap();
        let error = Config::load(home.path(), given(&[])).unwrap_err().to_string();
        assert!(error.contains(rule), "{error}");
    }
    fs::write(Config::file(home.path()), "").unwrap();
    let wrong = ("GUTS_APP_CONNECTIONS_MAX", "many");
    let error = Config::load(home.path(), given(&[wrong])).unwrap_err().to_string();
    assert!(error.contains("many is not a whole number"), "{error}");
    let wrong = ("GUTS_APP_ADDRESS_SHARE_PERCENT", "half");
    let error = Config::load(home.path(), given(&[wrong])).unwrap_err().to_string();
    assert!(error.contains("half is not a whole number of percent"), "{error}");
    let right = [("GUTS_APP_CONNECTIONS_PER_ADDRESS_MAX", "0"), ("GUTS_APP_LOG_FORMAT", "json")];
    let config = Config::load(home.path(), given(&right)).unwrap();
    assert_eq!((config.connections_per_address_max, &*config.log_format), (0, "json"));
    for kept in [0, 10] {
        fs::write(Config::file(home.path()), format!("keep_heights = {kept}")).unwrap();
        assert_eq!(Config::load(home.path(), given(&[])).unwrap().keep_heights, kept);
    }
}

#[test]
fn a_home_without_settings_says_how_to_make_them() {
    let error = Config::load(Path::new("/nonexistent"), given(&[])).unwrap_err().to_string();
    assert!(error.contains("guts-app init"), "{error}");
}
