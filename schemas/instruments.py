"""The topics of risk instruments: keys of our own, never the text of their questions, which is copyright."""

from __future__ import annotations

from enum import StrEnum


class DashTopic(StrEnum):
    """The 27 topics of the police set, in its order (1 to 27)."""

    INJURY = "injury"
    VERY_FRIGHTENED = "very_frightened"
    AFRAID_OF_WHAT = "afraid_of_what"
    ISOLATED = "isolated"
    DEPRESSED_OR_SUICIDAL = "depressed_or_suicidal"  # the victim
    SEPARATED_PAST_YEAR = "separated_past_year"
    CHILD_CONTACT_CONFLICT = "child_contact_conflict"
    STALKING_HARASSING = "stalking_harassing"
    PREGNANT_OR_RECENT_BABY = "pregnant_or_recent_baby"
    CHILDREN_IN_HOUSEHOLD = "children_in_household"
    HURT_CHILDREN = "hurt_children"
    THREATENED_CHILDREN = "threatened_children"
    MORE_OFTEN = "more_often"
    GETTING_WORSE = "getting_worse"
    CONTROLS_OR_JEALOUS = "controls_or_jealous"
    WEAPONS_OR_OBJECTS = "weapons_or_objects"
    THREATENED_TO_KILL = "threatened_to_kill"
    STRANGLE_CHOKE_SUFFOCATE = "strangle_choke_suffocate"
    SEXUAL = "sexual"
    OTHERS_THREATEN_OR_FEAR_HBA = "others_threaten_or_fear_hba"
    HURT_ANYONE_ELSE = "hurt_anyone_else"
    ANIMAL_ABUSE = "animal_abuse"
    FINANCIAL = "financial"
    DRUGS_ALCOHOL_OR_MENTAL_HEALTH = "drugs_alcohol_or_mental_health"  # the person who harms
    SUICIDE_THREAT_OR_ATTEMPT = "suicide_threat_or_attempt"  # the person who harms
    BREACHED_ORDER_OR_BAIL = "breached_order_or_bail"
    POLICE_OR_CRIMINAL_HISTORY = "police_or_criminal_history"
