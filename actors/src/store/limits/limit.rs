//! The limits by name: a fixed set, so that they may be labels.

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Messages of chats and requests of applications.
    Requests,
    /// Tokens of the AI.
    Tokens,
    /// Connects of chats.
    Connects,
    /// Commands of one connection, which its socket counts by itself.
    Commands,
    /// What is read: pages of logs, lists of members, messages that were sent before.
    Reads,
    /// Memberships and rights that are asked for.
    Joins,
}

/// Which limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is described by its words below")]
pub enum Limit {
    UserMessages,
    UserTokens,
    UserConnects,
    UserReads,
    UserJoins,
    KeyRequests,
    KeyTokens,
    KeyReads,
    AddressMessages,
    AddressTokens,
    AddressConnects,
    AddressReads,
    GroupMessages,
    GroupTokens,
    ServiceMessages,
    ServiceTokens,
    ConnectionCommands,
}

impl Limit {
    /// Its name, as metric label and in admin; and what it is, for people.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::UserMessages => ("user_messages", "messages a minute of a user"),
            Self::UserTokens => ("user_tokens", "tokens an hour of a user"),
            Self::UserConnects => ("user_connects", "connects a minute of a user"),
            Self::UserReads => ("user_reads", "reads a minute of a user"),
            Self::UserJoins => ("user_joins", "joins and refreshes a minute of a user"),
            Self::KeyRequests => ("key_requests", "requests a minute of an API key"),
            Self::KeyTokens => ("key_tokens", "tokens an hour of an API key"),
            Self::KeyReads => ("key_reads", "reads a minute of an API key"),
            Self::AddressMessages => ("address_messages", "messages a minute of an address"),
            Self::AddressTokens => ("address_tokens", "tokens an hour of an address"),
            Self::AddressConnects => ("address_connects", "connects a minute of an address"),
            Self::AddressReads => ("address_reads", "reads a minute of an address, over plain HTTP"),
            Self::GroupMessages => ("group_messages", "messages a minute of a group"),
            Self::GroupTokens => ("group_tokens", "tokens an hour of a group"),
            Self::ServiceMessages => ("service_messages", "messages a minute of the whole service"),
            Self::ServiceTokens => ("service_tokens", "tokens an hour of the whole service"),
            Self::ConnectionCommands => ("connection_commands", "commands a second of a connection"),
        }
    }

    /// Short, in snake case.
    pub const fn label(self) -> &'static str {
        self.names().0
    }

    /// For people.
    pub const fn words(self) -> &'static str {
        self.names().1
    }

    /// What it counts.
    pub const fn unit(self) -> Unit {
        match self {
            Self::UserMessages
            | Self::KeyRequests
            | Self::AddressMessages
            | Self::GroupMessages
            | Self::ServiceMessages => Unit::Requests,
            Self::UserTokens | Self::KeyTokens | Self::AddressTokens | Self::GroupTokens | Self::ServiceTokens => {
                Unit::Tokens
            }
            Self::UserConnects | Self::AddressConnects => Unit::Connects,
            Self::ConnectionCommands => Unit::Commands,
            Self::UserReads | Self::KeyReads | Self::AddressReads => Unit::Reads,
            Self::UserJoins => Unit::Joins,
        }
    }

    /// Whether many wait for it who do not know of each other: each is told a time of its own. One user who is refused again
    /// and again is to come back when there is enough, not later each time.
    pub const fn has_line(self) -> bool {
        !matches!(
            self,
            Self::UserMessages | Self::UserTokens | Self::UserReads | Self::UserJoins | Self::ConnectionCommands
        )
    }
}
