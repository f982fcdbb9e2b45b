"""What tests share: real servers, a running system to publish to and look into, events to send."""
