//! The program seen from outside, in one test binary.

/// Makes a test of each named scenario for each mode: the same promises in memory and in Redis.
macro_rules! in_both_modes {
    ($($name:ident),* $(,)?) => {
        mod in_memory {
            $(#[tokio::test] async fn $name() {
                super::$name($crate::support::Mode::Memory).await;
            })*
        }
        mod in_redis {
            $(#[tokio::test] async fn $name() {
                super::$name($crate::support::Mode::Redis).await;
            })*
        }
    };
}

/// Makes a test of each named scenario for each way in which a Redis can be away.
macro_rules! under_each_fault {
    ($($name:ident),* $(,)?) => {
        mod frozen {
            $(#[tokio::test] async fn $name() {
                super::$name($crate::support::Fault::Frozen).await;
            })*
        }
        mod refused {
            $(#[tokio::test] async fn $name() {
                super::$name($crate::support::Fault::Refused).await;
            })*
        }
        mod slow {
            $(#[tokio::test] async fn $name() {
                super::$name($crate::support::Fault::Slow).await;
            })*
        }
    };
}

mod agui;
mod agui_requests;
mod answers;
mod answers_lost;
mod answers_owed;
mod architecture;
mod audit;
mod backend_bodies;
mod backend_ends;
mod backend_refusals;
mod backend_responses;
mod chaos;
mod chat;
mod chat_addresses;
mod chat_http;
mod chat_socket;
mod chat_socket_bounds;
mod chat_tools;
mod check;
mod check_redis;
mod check_rights;
mod check_services;
mod closing;
mod commands;
mod connecting;
mod costs;
mod documents;
mod doors_cors;
mod doors_log;
mod doors_open;
mod doors_rights;
mod drain;
mod essential;
mod following;
mod framing;
mod gateway;
mod gateway_bodies;
mod gateway_completions;
mod gateway_embeddings;
mod gateway_errors;
mod gateway_keys;
mod gateway_leaving;
mod gateway_nodes;
mod gateway_resuming;
mod gateway_sharing;
mod gateway_streams;
mod gathering;
mod group_streams;
mod groups;
mod histories;
mod history;
mod hook;
mod hostile_crowd;
mod hostile_sockets;
#[cfg(target_os = "linux")]
mod hostile_vanishing;
mod http_admin;
mod http_api;
mod images;
mod input_handshakes;
mod input_places;
mod input_requests;
mod input_sockets;
mod kill;
mod library;
mod limits;
mod limits_guests;
mod listeners;
mod live_figures;
mod many;
mod metrics;
mod nodes;
mod nodes_answers;
mod nodes_back;
mod nodes_care;
mod nodes_faults;
mod nodes_flights;
mod nodes_limits;
mod nodes_moved;
mod nodes_orders;
mod outages;
mod owed;
mod people;
mod ratings;
mod reasoning;
mod recovery;
mod redis_connections;
mod redis_cuts;
mod redis_degraded;
mod redis_faults;
mod redis_flaps;
mod redis_flights;
mod redis_keys;
mod redis_refusals;
mod redis_shown;
mod refusals;
mod reload;
mod reload_backends;
mod reload_keys;
mod reload_limits;
mod responses;
mod responses_kept;
mod responses_leaving;
mod responses_nodes;
mod responses_socket;
mod responses_store;
mod rolling;
mod scripts;
mod session_faults;
mod signals;
mod slow_clients;
mod soak;
mod starting_log;
mod steering;
mod streams;
mod support;
#[cfg(target_os = "linux")]
mod threads;
mod tls;
mod tls_certificates;
mod tls_strangers;
mod tokens;
mod top;
mod traces;
mod traces_process;
mod upstream;
mod upstream_backends;
mod upstream_breaker;
mod upstream_tls;
mod view_token;
mod watching;
