"""Sign-in of Airflow's web interface, read by the FAB auth manager.

Local accounts, or Microsoft Entra when its variables are set: `reporting.sign_in` says which. There is no public role.
"""

from reporting import sign_in

globals().update(sign_in.settings())
