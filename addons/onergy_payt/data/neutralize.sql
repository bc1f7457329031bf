-- A copy of the database must never talk to Payt.
UPDATE payt_connection
   SET live_enabled = false,
       fingerprint = NULL,
       api_token = NULL,
       client_id = NULL,
       client_secret = NULL,
       oauth_state = NULL,
       webhook_secret = NULL,
       webhook_secret_previous = NULL;

UPDATE payt_token
   SET access_token = NULL,
       refresh_token = NULL,
       expires_at = 0;
