//! The commands that a node uses, by what a database is for: the one list from which rights are tried, and told.

/// What the scripts and calls on the main database use; `{}` is the key, on which a text lies: other types' commands change
/// nothing.
pub(super) const MAIN: &[&str] = &[
    "GET {}",
    "MGET {}",
    "EXISTS {}",
    "STRLEN {}",
    "GETRANGE {} 0 1",
    "SETRANGE {} 0 x",
    "TTL {}",
    "PTTL {}",
    "HSET {} f 1",
    "HSETNX {} f 1",
    "HGET {} f",
    "HMGET {} f",
    "HGETALL {}",
    "HKEYS {}",
    "HEXISTS {} f",
    "HINCRBY {} f 1",
    "HDEL {} f",
    "LLEN {}",
    "LRANGE {} 0 1",
    "RPUSH {} x",
    "SADD {} x",
    "SREM {} x",
    "SRANDMEMBER {} 1",
    "XADD {} * f 1",
    "XDEL {} 1-1",
    "XRANGE {} - +",
    "XREVRANGE {} + -",
    "ZADD {} 1 x",
    "ZCARD {}",
    "ZCOUNT {} 0 1",
    "ZINCRBY {} 1 x",
    "ZPOPMIN {}",
    "ZRANGE {} 0 1",
    "ZRANGEBYLEX {} - +",
    "ZRANGEBYSCORE {} 0 1",
    "ZREM {} x",
    "ZREMRANGEBYRANK {} 0 1",
    "ZREMRANGEBYSCORE {} 0 1",
    "ZREVRANGE {} 0 1",
    "ZSCORE {} x",
    "TIME",
    "INFO",
    "WAIT 0 1",
    "EXPIRE {} 10",
    "PEXPIRE {} 10000",
];
/// The same of the caches.
pub(super) const CACHE: &[&str] = &["GET {}", "MGET {}", "STRLEN {}", "SCAN 0 MATCH {} COUNT 1", "INFO", "UNLINK {}"];
/// The same of the channel layer.
pub(super) const LAYER: &[&str] = &[
    "GET {}",
    "EXISTS {}",
    "ZADD {} 1 x",
    "ZCARD {}",
    "ZCOUNT {} 0 1",
    "ZRANGE {} 0 1",
    "ZREM {} x",
    "ZREMRANGEBYRANK {} 0 1",
    "ZREMRANGEBYSCORE {} 0 1",
    "ZSCORE {} x",
    "ZPOPMIN {}",
    "BZPOPMIN {} 0.01",
    "TIME",
    "EXPIRE {} 10",
];
/// To run scripts. What is loaded is no script, and what is run is not known: both are refused after the rights were asked.
pub(super) const SCRIPTS: &[&str] = &["SCRIPT LOAD )", "EVALSHA 0000000000000000000000000000000000000000 0"];

/// What any connection does, and what tries a right: see [`super::rights::Needs::try_all`].
pub(super) const ALWAYS: &[&str] = &["+ping", "+select", "+info", "+set", "+del"];
