ARG RUST_VERSION=1.95

FROM rust:${RUST_VERSION}-slim-bookworm AS build
WORKDIR /src
# The dependencies first, with empty sources of our own, so that they are built anew only when the manifests change.
COPY Cargo.toml Cargo.lock ./
COPY actors/Cargo.toml actors/
COPY tests/kit/Cargo.toml tests/kit/
# Cargo wants a file for every target that the manifests name, also for those that are not built.
RUN mkdir -p src actors/src tests/kit/src \
    && touch src/lib.rs actors/src/lib.rs tests/kit/src/lib.rs \
    && for target in src/main.rs $(sed -n 's/^path = "\(.*\.rs\)"$/\1/p' Cargo.toml); do \
        mkdir -p "$(dirname "$target")" && echo 'fn main() {}' > "$target"; \
    done \
    && cargo build --release --locked
COPY settings.toml ./
COPY actors actors
COPY src src
COPY clients/js/dist clients/js/dist
# Copied files keep the time of the checkout: touched, they are newer than what was built of the empty ones.
RUN touch src/main.rs src/lib.rs actors/src/lib.rs \
    && cargo build --release --locked

FROM debian:bookworm-slim
# No versions are pinned: Debian keeps only the newest of each, with its security fixes.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates openssl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --no-log-init --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin sophie
COPY --from=build /src/target/release/sophie /usr/local/bin/sophie
COPY scripts/healthcheck.sh /usr/local/bin/sophie-healthcheck
COPY LICENSE LICENSE-MIT LICENSE-APACHE /usr/share/doc/sophie/
# Where settings.toml is looked for, should there be one.
WORKDIR /etc/sophie
USER 10001:10001
# Reachable from outside the container. So it starts only with SOPHIE__ADMIN__TOKEN, and either accounts
# (SOPHIE__AUTH__MODE=jwt and a key, or hook and its address) or SOPHIE__AUTH__OPEN=true for a chat that is open to everyone.
ENV SOPHIE__SERVER__BIND=0.0.0.0:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["bash", "/usr/local/bin/sophie-healthcheck"]
ENTRYPOINT ["sophie"]
