//! Texts: the operator's file, and sentences with addresses.

use std::path::Path;

use hopmark::config;
use hopmark::export::check_web_config;
use hopmark::report::Anonymizer;

/// A file that loads reads back as the same once it is printed; one that does not says why.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match config::load_str("fuzz.toml", &text, None) {
        Ok(loaded) => {
            let printed = config::to_toml(&loaded.policy, &loaded.appliance);
            match config::load_str("printed.toml", &printed, None) {
                Ok(again) => {
                    assert!(again.policy == loaded.policy, "reads back otherwise:\n{printed}");
                    assert!(again.appliance == loaded.appliance, "reads back otherwise:\n{printed}");
                }
                Err(error) => panic!("does not read back: {error}\n{printed}"),
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A web configuration is taken or refused with a sentence that names the file, the same one each time.
pub fn web_config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let check = || check_web_config(&text, Path::new("fuzz.yml")).map_err(|problem| problem.to_string());
    let said = check();
    assert_eq!(said, check());
    if let Err(problem) = said {
        assert!(problem.len() > "fuzz.yml: ".len() && problem.starts_with("fuzz.yml: "), "{problem}");
    }
}

/// Characters that addresses are not made of stay, in their order; a text without addresses stays as it is.
pub fn anonymize(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let anonymizer = Anonymizer::new(&[9; 32]);
    let replaced = anonymizer.text(&text);
    let others = |text: &str| -> String {
        text.chars().filter(|c| !c.is_ascii_hexdigit() && !matches!(c, '.' | ':')).collect()
    };
    assert_eq!(others(&text), others(&replaced));
    assert_eq!(replaced, anonymizer.text(&text), "the same text is replaced alike");
    if !text.contains(':') && text.matches('.').count() < 3 {
        assert_eq!(text, replaced, "no address, and yet replaced");
    }
}
