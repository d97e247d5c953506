// libssh 0.10: the SSH transport of both sides. What it calls deprecated is the only way to answer a request later than
// in a callback, so it stands here under names of our own, and the deprecation stays here with it.
#pragma once
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static inline const char *queued_auth_password(ssh_message message) { return ssh_message_auth_password(message); }

static inline ssh_key queued_auth_key(ssh_message message) { return ssh_message_auth_pubkey(message); }

// Whether the client has signed with the key of this request: an enum ssh_publickey_state_e.
static inline int queued_auth_key_state(ssh_message message) {
  return (int)ssh_message_auth_publickey_state(message);
}

// Of requests for a terminal; width and height of window changes, too.
static inline const char *queued_terminal_type(ssh_message message) {
  return ssh_message_channel_request_pty_term(message);
}

static inline int queued_terminal_width(ssh_message message) { return ssh_message_channel_request_pty_width(message); }

static inline int queued_terminal_height(ssh_message message) { return ssh_message_channel_request_pty_height(message); }

#pragma GCC diagnostic pop

// The beginning of libssh 0.10's own struct ssh_message_struct (its messages.h), of which no function tells the largest
// packet that the peer takes on a channel that it opens.
struct queued_message {
  ssh_session session;
  int type;
  struct {
    char *username;
    int method;
    char *password;
    ssh_key pubkey;
    char *sigtype;
    enum ssh_publickey_state_e signature_state;
    char kbdint_response;
  } auth;
  struct {
    int type;
    uint32_t sender, window, packet_size;
    char *originator;
    uint16_t originator_port;
    char *destination;
  } open;
};

// The beginning of its struct ssh_channel_struct (its channels.h), for the same of a channel that we opened.
struct opened_channel {
  ssh_session session;
  uint32_t local_channel, local_window;
  int local_eof;
  uint32_t local_maxpacket, remote_channel, remote_window;
  int remote_eof;
  uint32_t remote_maxpacket;
};

static inline int is_known_library(void) {
  return ssh_version(SSH_VERSION_INT(0, 10, 0)) != NULL && ssh_version(SSH_VERSION_INT(0, 11, 0)) == NULL;
}

// In bytes; -1 where the struct is not as it is known here. What other functions tell of it is compared.
static inline long queued_open_packet_size(ssh_message message) {
  const struct queued_message *known = (const struct queued_message *)message;
  if (!is_known_library()) return -1;
  if (known->type != ssh_message_type(message) || known->open.type != ssh_message_subtype(message)) return -1;
  if (known->open.originator != ssh_message_channel_request_open_originator(message)) return -1;
  if (known->open.destination != ssh_message_channel_request_open_destination(message)) return -1;
  return (long)known->open.packet_size;
}

// As above, once the peer has confirmed the channel.
static inline long opened_channel_packet_size(ssh_channel channel) {
  const struct opened_channel *known = (const struct opened_channel *)channel;
  if (!is_known_library() || known->session != ssh_channel_get_session(channel)) return -1;
  if (known->remote_window != ssh_channel_window_size(channel)) return -1;
  return (long)known->remote_maxpacket;
}
