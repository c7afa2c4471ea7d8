//! Which buckets apply to whom: pure.

use std::net::{IpAddr, Ipv6Addr};

use super::messages::{Admit, AdmitConnect, Application, Caller, Spending};
use crate::ids::{GroupName, UserId};
use crate::options::LimitOptions;
use crate::store::limits::{Bucket, Limit, Unit};

/// Tokens that are reserved for an answer of unknown length, in addition to the question.
const RESERVED_FOR_ANSWER: u64 = 500;
/// Reads that may be asked for at once: a page that opens all of a user's groups.
const READS_BURST: u64 = 200;
/// Joins that may be asked for at once: a client that comes back to all of its groups, twice.
const JOINS_BURST: u64 = 64;
const MINUTE_US: u64 = 60_000_000;
const HOUR_US: u64 = 60 * MINUTE_US;

/// Whose limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A user's.
    User(UserId),
    /// An application's, by its API key.
    Key(Application),
    /// A client address's; of IPv6 the network of 64 bits, which is what one customer gets.
    Address(IpAddr),
    /// A group's.
    Group(GroupName),
    /// The whole service's.
    Service,
}

impl std::fmt::Display for Subject {
    /// As keys and operators name it: `user:alice`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(user) => write!(f, "user:{user}"),
            Self::Key(application) => write!(f, "key:{}", application.name),
            Self::Address(address) => match address.to_canonical() {
                // The machine itself has no network around it.
                IpAddr::V6(v6) if !v6.is_loopback() => {
                    let network = Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX));
                    write!(f, "address:{network}/64")
                }
                address => write!(f, "address:{address}"),
            },
            Self::Group(group) => write!(f, "group:{group}"),
            Self::Service => f.write_str("service"),
        }
    }
}

/// All of a subject's, full or not, at no cost. Limits of 0 are none.
pub(super) fn of_subject(options: &LimitOptions, subject: &Subject) -> Vec<Bucket> {
    if !options.enabled {
        return Vec::new();
    }
    let bucket = |limit: Limit, each: u64, per: u64, burst: u64| Bucket {
        key: format!(
            "{subject}:{}",
            match limit.unit() {
                Unit::Requests => "messages",
                Unit::Tokens => "tokens",
                Unit::Connects => "connects",
                Unit::Commands => "commands",
                Unit::Reads => "reads",
                Unit::Joins => "joins",
            }
        ),
        limit,
        interval_us: (per / each.max(1)).max(1),
        burst,
        cost: 0,
    };
    let some = |limit: Limit, each: u64| {
        let per = if limit.unit() == Unit::Tokens { HOUR_US } else { MINUTE_US };
        (each > 0).then(|| bucket(limit, each, per, each))
    };
    let with_burst = |limit: Limit, each: u64, burst: u64| (each > 0).then(|| bucket(limit, each, MINUTE_US, burst));
    let all = match subject {
        Subject::User(_) => vec![
            Some(bucket(Limit::UserMessages, options.user_messages_per_minute, MINUTE_US, options.user_burst)),
            some(Limit::UserTokens, options.user_tokens_per_hour),
            some(Limit::UserConnects, options.connects_per_minute),
            with_burst(Limit::UserReads, options.reads_per_minute, READS_BURST),
            with_burst(Limit::UserJoins, options.joins_per_minute, JOINS_BURST),
        ],
        Subject::Key(application) => vec![
            match application.requests_per_minute {
                Some(own) => some(Limit::KeyRequests, own.max(1)),
                None => with_burst(Limit::KeyRequests, options.key_requests_per_minute, options.key_burst),
            },
            some(Limit::KeyTokens, application.tokens_per_hour.unwrap_or(options.user_tokens_per_hour).max(1)),
            with_burst(Limit::KeyReads, options.reads_per_minute, READS_BURST),
        ],
        Subject::Address(_) => vec![
            some(Limit::AddressMessages, options.address_messages_per_minute),
            some(Limit::AddressTokens, options.address_tokens_per_hour),
            some(Limit::AddressConnects, options.connects_per_minute),
            with_burst(Limit::AddressReads, options.reads_per_minute, READS_BURST),
        ],
        Subject::Group(_) => vec![
            some(Limit::GroupMessages, options.group_messages_per_minute),
            some(Limit::GroupTokens, options.group_tokens_per_hour),
        ],
        Subject::Service => vec![
            some(Limit::ServiceMessages, options.service_messages_per_minute),
            some(Limit::ServiceTokens, options.service_tokens_per_hour),
        ],
    };
    all.into_iter().flatten().collect()
}

/// What a message or a request takes, of everybody whom it concerns.
pub(super) fn of_request(options: &LimitOptions, admit: &Admit) -> Vec<Bucket> {
    let caller = match &admit.caller {
        Caller::User(user) | Caller::Guest(user) => Subject::User(user.clone()),
        Caller::Application(application) => Subject::Key(application.clone()),
    };
    // Behind an application's address are all of its users, and it has limits of its own. Who is signed in pays tokens of their
    // own, whoever else is behind their address; a guest may have any number of names, but not of addresses.
    let spared = |limit: Limit| match limit {
        Limit::AddressMessages => matches!(admit.caller, Caller::Application(_)),
        Limit::AddressTokens => !matches!(admit.caller, Caller::Guest(_)),
        _ => false,
    };
    let subjects = [Some(caller), Some(Subject::Address(admit.address)), admit.group.clone().map(Subject::Group)];
    let subjects = subjects.into_iter().flatten().chain([Subject::Service]);
    let all = subjects.flat_map(|subject| of_subject(options, &subject)).filter(|bucket| !spared(bucket.limit));
    let priced = all.filter_map(|bucket| {
        let cost = match bucket.limit.unit() {
            Unit::Requests => 1,
            Unit::Tokens => admit.prompt_tokens?.saturating_add(RESERVED_FOR_ANSWER).min(bucket.burst),
            Unit::Connects | Unit::Commands | Unit::Reads | Unit::Joins => return None,
        };
        Some(Bucket { cost, ..bucket })
    });
    priced.collect()
}

/// What has to be added to what was taken for a request of so many tokens.
pub(super) fn raised(taken: &[Bucket], prompt_tokens: u64) -> Vec<Bucket> {
    let of_tokens = taken.iter().filter(|bucket| bucket.limit.unit() == Unit::Tokens);
    let more = of_tokens.map(|bucket| {
        let cost = prompt_tokens.saturating_add(RESERVED_FOR_ANSWER).min(bucket.burst);
        Bucket { cost: cost.saturating_sub(bucket.cost), ..bucket.clone() }
    });
    more.filter(|bucket| bucket.cost > 0).collect()
}

/// The bucket that is spent from.
pub(super) fn of_spending(options: &LimitOptions, whose: &Subject, on: Spending) -> Option<Bucket> {
    let unit = match on {
        Spending::Reads => Unit::Reads,
        Spending::Joins => Unit::Joins,
    };
    of_subject(options, whose).into_iter().find(|bucket| bucket.limit.unit() == unit)
}

/// What a connect takes.
pub(super) fn of_connect(options: &LimitOptions, connect: AdmitConnect) -> Option<Bucket> {
    let subject = match connect {
        AdmitConnect::From(address) => Subject::Address(address),
        AdmitConnect::Of(user) => Subject::User(user),
    };
    let bucket = of_subject(options, &subject).into_iter().find(|bucket| bucket.limit.unit() == Unit::Connects)?;
    Some(Bucket { cost: 1, ..bucket })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> LimitOptions {
        LimitOptions {
            enabled: true,
            user_messages_per_minute: 20,
            user_burst: 5,
            user_tokens_per_hour: 1_000,
            address_messages_per_minute: 60,
            address_tokens_per_hour: 0,
            group_messages_per_minute: 0,
            group_tokens_per_hour: 0,
            service_messages_per_minute: 0,
            service_tokens_per_hour: 0,
            answers_per_session: 2,
            answers_at_once: 0,
            connects_per_minute: 120,
            reads_per_minute: 1_200,
            joins_per_minute: 60,
            key_requests_per_minute: 600,
            key_burst: 60,
        }
    }

    fn admit(caller: Caller, prompt_tokens: Option<u64>) -> Admit {
        let group = Some(GroupName::parse("g").expect("legal"));
        Admit { caller, address: IpAddr::from([10, 0, 0, 1]), group, prompt_tokens, slot: None }
    }

    fn taken(options: &LimitOptions, admit: &Admit) -> Vec<(&'static str, u64, u64)> {
        of_request(options, admit).iter().map(|bucket| (bucket.limit.label(), bucket.burst, bucket.cost)).collect()
    }

    #[test]
    fn what_is_not_set_does_not_apply_and_notes_take_no_tokens() {
        let user = Caller::Guest(UserId::from("a"));
        let messages = [("user_messages", 5, 1), ("address_messages", 60, 1)];
        assert_eq!(taken(&options(), &admit(user.clone(), None)), messages);
        assert!(of_request(&LimitOptions { enabled: false, ..options() }, &admit(user.clone(), None)).is_empty());
        let all = LimitOptions {
            address_tokens_per_hour: 400,
            group_messages_per_minute: 7,
            group_tokens_per_hour: 9_000,
            service_messages_per_minute: 8,
            service_tokens_per_hour: 90_000,
            ..options()
        };
        let expected = [
            ("user_messages", 5, 1),
            ("user_tokens", 1_000, 600),
            ("address_messages", 60, 1),
            ("address_tokens", 400, 400),
            ("group_messages", 7, 1),
            ("group_tokens", 9_000, 600),
            ("service_messages", 8, 1),
            ("service_tokens", 90_000, 600),
        ];
        assert_eq!(taken(&all, &admit(user, Some(100))), expected);
        let signed_in = taken(&all, &admit(Caller::User(UserId::from("a")), Some(100)));
        let others: Vec<_> = expected.into_iter().filter(|(label, ..)| *label != "address_tokens").collect();
        assert_eq!(signed_in, others, "who is signed in has tokens of their own");
    }

    #[test]
    fn an_address_of_ipv6_is_its_network() {
        let named = |text: &str| Subject::Address(text.parse().expect("an address")).to_string();
        assert_eq!(named("2001:db8:1:2:3:4:5:6"), "address:2001:db8:1:2::/64");
        assert_eq!(named("2001:db8:1:2::1"), named("2001:db8:1:2:ffff::9"));
        assert_ne!(named("2001:db8:1:2::1"), named("2001:db8:1:3::1"));
        assert_eq!(
            [named("::1"), named("::ffff:10.0.0.1"), named("10.0.0.1")].join(" "),
            "address:::1 address:10.0.0.1 address:10.0.0.1"
        );
    }

    #[test]
    fn reads_and_joins_are_a_users_own() {
        let bucket = |on| of_spending(&options(), &Subject::User(UserId::from("a")), on).expect("limited");
        let (reads, joins) = (bucket(Spending::Reads), bucket(Spending::Joins));
        assert_eq!((reads.key.as_str(), reads.interval_us, reads.burst), ("user:a:reads", 50_000, 200));
        assert_eq!((joins.key.as_str(), joins.interval_us, joins.burst), ("user:a:joins", 1_000_000, 64));
        let none = LimitOptions { reads_per_minute: 0, ..options() };
        assert_eq!(of_spending(&none, &Subject::User(UserId::from("a")), Spending::Reads), None);
    }

    #[test]
    fn a_key_has_limits_of_its_own_and_none_of_its_address() {
        let mut application = Application { name: "site".into(), ..Application::default() };
        let users = [("key_requests", 60, 1), ("key_tokens", 1_000, 501)];
        assert_eq!(taken(&options(), &admit(Caller::Application(application.clone()), Some(1))), users);
        application.requests_per_minute = Some(600);
        application.tokens_per_hour = Some(50_000);
        let own = [("key_requests", 600, 1), ("key_tokens", 50_000, 501)];
        assert_eq!(taken(&options(), &admit(Caller::Application(application.clone()), Some(1))), own);
        let buckets = of_subject(&options(), &Subject::Key(application));
        assert_eq!((buckets[0].key.as_str(), buckets[0].interval_us), ("key:site:messages", 100_000));
        assert_eq!((buckets[1].key.as_str(), buckets[1].interval_us), ("key:site:tokens", 72_000));
    }

    #[test]
    fn a_connect_counts_for_the_address_or_the_user() {
        let connect = of_connect(&options(), AdmitConnect::Of(UserId::from("a"))).expect("limited");
        assert_eq!((connect.key.as_str(), connect.burst, connect.cost), ("user:a:connects", 120, 1));
        let connect = of_connect(&options(), AdmitConnect::From(IpAddr::from([10, 0, 0, 1]))).expect("limited");
        assert_eq!((connect.key.as_str(), connect.limit), ("address:10.0.0.1:connects", Limit::AddressConnects));
    }
}
