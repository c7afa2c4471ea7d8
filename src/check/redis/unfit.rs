//! Databases that cannot be used, each cause once: what that means and what to do.

use std::mem::{Discriminant, discriminant};

use sophie_actors::redis::Unfit;

use super::{Database, Use, joined};
use crate::check::finding::{Area, Finding};

/// A line for each cause: the databases of one server mostly share it.
pub(super) fn findings(databases: &[Database]) -> Vec<Finding> {
    let mut told: Vec<(&str, Discriminant<Unfit>)> = Vec::new();
    let mut findings = Vec::new();
    for database in databases {
        let Err(unfit) = &database.outcome else { continue };
        // What its access list lacks is another thing for each use.
        if let Unfit::Rights(rules) = unfit {
            findings.push(rights(database, rules));
            continue;
        }
        // The words may differ by what was asked first.
        let cause = (server(database), discriminant(unfit));
        if told.contains(&cause) {
            continue;
        }
        let same = |it: &&Database| it.outcome.as_ref().is_err_and(|it_is| (server(it), discriminant(it_is)) == cause);
        findings.push(of(&joined(databases.iter().filter(same)), database, unfit));
        told.push(cause);
    }
    findings
}

/// The address without the number of the database.
fn server(database: &Database) -> &str {
    database.address.rsplit_once('/').map_or(&database.address, |(server, _)| server)
}

fn of(subject: &str, database: &Database, unfit: &Unfit) -> Finding {
    let (server, user) = (server(database), &database.user);
    let (code, found, advice) = match unfit {
        Unfit::Away(reason) => (
            "redis_away",
            format!("{server} cannot be reached: {reason}"),
            "start Redis there, or set REDIS_URL (redis.url) to where it is".to_owned(),
        ),
        Unfit::Silent => (
            "redis_silent",
            format!("{server} takes connections and does not answer within 2 s"),
            "see whether its process is stopped or its machine overloaded; start it again".to_owned(),
        ),
        Unfit::Credentials(words) => (
            "redis_password",
            format!("{server} does not let in user {user}: {words}"),
            "set user and password in REDIS_URL (redis.url), or REDIS_PASSWORD (redis.password) if there is no URL, to what Redis has"
                .to_owned(),
        ),
        Unfit::Database(words) => (
            "redis_database",
            format!("{} is not there: {words}", database.address),
            "set another database number, or raise `databases` in redis.conf".to_owned(),
        ),
        Unfit::Busy(words) => (
            "redis_busy",
            format!("{server} cannot serve at present: {words}"),
            "wait until it has loaded its data, and check again".to_owned(),
        ),
        Unfit::Rights(rules) => return rights(database, rules),
    };
    Finding::fault(code, Area::Redis, subject, found, means(database.of), advice)
}

fn means(of: Use) -> &'static str {
    match of {
        Use::Main => "no message is taken, and no session begins",
        Use::Cache => "every question goes to the model",
        Use::General => "what is kept of users is asked for anew each time",
        Use::Host(..) => "Django and Sophie do not hear each other",
    }
}

/// What its access list lacks, and the command that would mend it.
pub(super) fn rights(database: &Database, rules: &[String]) -> Finding {
    let (user, rules) = (&database.user, rules.join(" "));
    Finding::fault(
        "redis_rights",
        Area::Redis,
        database.of.to_string(),
        format!("{} does not give user {user} all rights that a node needs", database.address),
        means(database.of),
        format!("let somebody who may change them run: ACL SETUSER {user} {rules}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(of: Use, number: u8, outcome: Unfit) -> Database {
        let address = format!("r.example.com:6379/{number}");
        Database { of, address, user: "app".into(), outcome: Err(outcome) }
    }

    #[test]
    fn what_one_server_does_to_several_databases_is_told_once() {
        let away = || Unfit::Away("connection refused".into());
        let all =
            [database(Use::Main, 0, away()), database(Use::Cache, 2, away()), database(Use::General, 1, Unfit::Silent)];
        let told = findings(&all);
        assert_eq!(
            told.iter().map(|it| (it.subject.as_str(), it.code)).collect::<Vec<_>>(),
            [("main, cache", "redis_away"), ("general cache", "redis_silent")]
        );
        assert!(told[0].means.contains("no message is taken"), "{told:?}");
    }

    #[test]
    fn missing_rights_are_told_as_the_command_that_gives_them() {
        let rules = || vec!["~sophie:*".to_owned(), "+xadd".to_owned()];
        let told = findings(&[
            database(Use::Main, 0, Unfit::Rights(rules())),
            database(Use::Cache, 2, Unfit::Rights(rules())),
        ]);
        assert_eq!(told.len(), 2);
        assert!(told[0].advice.ends_with("ACL SETUSER app ~sophie:* +xadd"), "{told:?}");
    }
}
