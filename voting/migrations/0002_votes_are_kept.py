"""A trigger guards what a vote says; the queue's dead rows are vacuumed by number, not by share."""

from django.db import migrations

GUARD = """
CREATE FUNCTION voting_vote_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'votes are never deleted';
    END IF;
    IF NEW.outcome <> OLD.outcome OR NEW.comparison_id <> OLD.comparison_id OR NEW.cast_at <> OLD.cast_at THEN
        RAISE EXCEPTION 'outcome, comparison and cast_at of a vote never change';
    END IF;
    IF OLD.undone_at IS NOT NULL AND NEW.undone_at IS DISTINCT FROM OLD.undone_at THEN
        RAISE EXCEPTION 'a vote is undone once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER voting_vote_guard BEFORE UPDATE OR DELETE ON voting_vote
    FOR EACH ROW EXECUTE FUNCTION voting_vote_guard();
ALTER TABLE voting_ballotqueue SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
"""
UNGUARD = """
DROP TRIGGER voting_vote_guard ON voting_vote;
DROP FUNCTION voting_vote_guard();
ALTER TABLE voting_ballotqueue RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
"""


class Migration(migrations.Migration):
    dependencies = [("voting", "0001_initial")]
    operations = [migrations.RunSQL(GUARD, UNGUARD)]
